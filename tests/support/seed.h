// The seed of a test's random choices: SIGHTLINE_SEED, or another one each time. A test prints it when it fails.
//
// Threading: any thread. Failure: none; what is no number counts as 0.
#ifndef SIGHTLINE_TESTS_SUPPORT_SEED_H_
#define SIGHTLINE_TESTS_SUPPORT_SEED_H_

#include <cstdlib>
#include <random>

namespace sightline::testing {

inline unsigned Seed() {
  const char* const given = std::getenv("SIGHTLINE_SEED");
  return given == nullptr ? std::random_device()() : static_cast<unsigned>(std::strtoul(given, nullptr, 10));
}

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_SUPPORT_SEED_H_
