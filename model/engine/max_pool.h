// Max pool 3x3 with stride 2 over channels-last maps; positions outside the map do not count.
//
// Threading: one thread at a time; rows are spread over that thread's OpenMP threads. Failure: none.
#ifndef SIGHTLINE_MODEL_ENGINE_MAX_POOL_H_
#define SIGHTLINE_MODEL_ENGINE_MAX_POOL_H_

#include <cstdint>

namespace sightline::model::engine {

struct PoolShape {
  int64_t batch = 0;
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  int64_t out_height = 0;
  int64_t out_width = 0;
  // Rows above and columns left of the map: output (i, j) covers input rows 2 i - top to 2 i - top + 2. Every output
  // must cover at least one position of the map.
  int64_t top = 0;
  int64_t left = 0;
};

// x (batch, height, width, channels) -> y (batch, out_height, out_width, channels)
void MaxPool(const float* x, const PoolShape& shape, float* y);

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_MAX_POOL_H_
