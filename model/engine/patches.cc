#include "model/engine/patches.h"

#include <cstddef>
#include <cstring>

#include "model/engine/parallel.h"

namespace sightline::model::engine {

void CutPatches(const float* images, const PatchShape& shape, float* patches) {
  const int64_t side = shape.patch;
  const int64_t values = shape.channels * side * side;
  ParallelTasks(shape.batch * shape.rows(), [&](int64_t task, int) {
    const float* const image = images + task / shape.rows() * shape.channels * shape.height * shape.width;
    float* const row = patches + task * shape.columns() * values;
    for (int64_t channel = 0; channel < shape.channels; ++channel) {
      for (int64_t y = 0; y < side; ++y) {
        const float* const line = image + (channel * shape.height + task % shape.rows() * side + y) * shape.width;
        float* out = row + (channel * side + y) * side;
        for (int64_t column = 0; column < shape.columns(); ++column, out += values) {
          std::memcpy(out, line + column * side, static_cast<size_t>(side) * sizeof(float));
        }
      }
    }
  });
}

}  // namespace sightline::model::engine
