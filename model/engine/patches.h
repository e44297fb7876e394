// Cuts images into square patches, so that a convolution whose windows do not overlap is one matrix product.
//
// Threading: one thread at a time; rows of patches are spread over that thread's OpenMP threads. Failure: none.
#ifndef SIGHTLINE_MODEL_ENGINE_PATCHES_H_
#define SIGHTLINE_MODEL_ENGINE_PATCHES_H_

#include <cstdint>

namespace sightline::model::engine {

struct PatchShape {
  int64_t batch = 0;
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;
  int64_t patch = 0;
  int64_t rows() const { return height / patch; }
  int64_t columns() const { return width / patch; }
};

// images (batch, channels, height, width) -> patches (batch, rows, columns, channels * patch * patch), the values of
// each in the order of a filter. Pixels beyond the last whole patch are left out.
void CutPatches(const float* images, const PatchShape& shape, float* patches);

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_PATCHES_H_
