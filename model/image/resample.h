// The two passes of a separable resampling of interleaved RGB rows, vectorised; resize.h puts them together.
//
// Threading: pure functions. Ownership: none; the caller's buffers. Failure: none; the preconditions are the caller's
// duty.
#ifndef SIGHTLINE_MODEL_IMAGE_RESAMPLE_H_
#define SIGHTLINE_MODEL_IMAGE_RESAMPLE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sightline::image {

// Weights are fixed-point numbers of so many bits behind the point, as many as Pillow takes, so that the results are
// the same: 32 bits less 8 of the pixel and 2 for sums of weights above 1.
inline constexpr int kWeightBits = 22;

// One-dimensional resampling: output i is the sum over t < count[i] of weights[i * taps + t] * input[first[i] + t],
// rounded to 8 bits.
struct ResampleFilter {
  int taps = 0;  // the most of any output
  std::vector<int> first;
  std::vector<int> count;
  std::vector<int32_t> weights;
};

// Every row by itself: `rows` rows of filter.first.size() pixels, from rows of `width` pixels that lie `stride` bytes
// apart.
void ResampleRows(const ResampleFilter& filter, const uint8_t* in, size_t stride, int width, int rows, uint8_t* out);

// Every column by itself: filter.first.size() rows of `row_bytes` bytes, from rows of as many.
void ResampleColumns(const ResampleFilter& filter, const uint8_t* in, size_t row_bytes, uint8_t* out);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_RESAMPLE_H_
