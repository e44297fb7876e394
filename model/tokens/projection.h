// The seeded token projection: a random matrix with orthonormal columns, the same for a seed on every machine.
//
// Threading: pure functions. Failure: none.
//
//   const std::vector<float> p = OrthonormalProjection(192, 64, 7);  // (192, 64), row-major
#ifndef SIGHTLINE_MODEL_TOKENS_PROJECTION_H_
#define SIGHTLINE_MODEL_TOKENS_PROJECTION_H_

#include <cstdint>
#include <vector>

namespace sightline::model {

// (rows, columns), row-major; columns <= rows. Columns are Gram-Schmidt orthonormalised in double precision.
std::vector<float> OrthonormalProjection(int rows, int columns, uint64_t seed);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_TOKENS_PROJECTION_H_
