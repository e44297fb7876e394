#include "model/image/reduce.h"

#include <algorithm>

namespace sightline::image {

int ReductionFor(int width, int height, int wanted_side) {
  if (wanted_side <= 0) return 1;
  const int64_t longest = std::max(width, height);
  for (int divisor : {8, 4, 2}) {
    if (longest >= int64_t{2} * wanted_side * divisor) return divisor;
  }
  return 1;
}

RowReducer::RowReducer(int width, int height, int divisor, uint8_t* reduced)
    : width_(width),
      height_(height),
      divisor_(divisor),
      sums_(static_cast<size_t>(ReducedSide(width, divisor)) * 3),
      next_(reduced) {}

void RowReducer::Add(const uint8_t* rgb) {
  if (divisor_ == 1) {
    next_ = std::copy_n(rgb, static_cast<size_t>(width_) * 3, next_);
    return;
  }
  uint32_t* sum = sums_.data();
  for (int x = 0; x < width_; x += divisor_, sum += 3) {
    const int end = std::min(x + divisor_, width_);
    for (int i = x; i < end; ++i) {
      for (int c = 0; c < 3; ++c) sum[c] += rgb[3 * static_cast<size_t>(i) + c];
    }
  }
  ++added_;
  if (added_ % divisor_ == 0) {
    Emit(divisor_);
  } else if (added_ == height_) {
    Emit(added_ % divisor_);
  }
}

void RowReducer::Emit(int rows) {
  for (int block = 0; block < ReducedSide(width_, divisor_); ++block) {
    const int columns = std::min(divisor_, width_ - block * divisor_);
    const uint32_t area = static_cast<uint32_t>(columns) * rows;
    for (int c = 0; c < 3; ++c) {
      *next_++ = static_cast<uint8_t>((sums_[3 * static_cast<size_t>(block) + c] + area / 2) / area);
    }
  }
  std::fill(sums_.begin(), sums_.end(), 0);
}

}  // namespace sightline::image
