// Random names from the system's generator.
//
// Threading: any thread. Failure: none; the process ends when the system has no randomness, which Linux rules out after
// boot.
#ifndef SIGHTLINE_INDEX_STORE_RANDOM_ID_H_
#define SIGHTLINE_INDEX_STORE_RANDOM_ID_H_

#include <cstddef>
#include <string>

namespace sightline::index {

// 2 * `bytes` lower-case hex digits. With 16 bytes nobody guesses one, and no two are equal.
std::string RandomHex(size_t bytes);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_RANDOM_ID_H_
