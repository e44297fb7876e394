#include "model/image/reduce.h"

#include <algorithm>
#include <utility>

namespace sightline::image {

int ReductionFor(int width, int height, int wanted_side) {
  if (wanted_side <= 0) return 1;
  const int64_t longest = std::max(width, height);
  for (int divisor : {8, 4, 2}) {
    if (longest >= int64_t{2} * wanted_side * divisor) return divisor;
  }
  return 1;
}

RowReducer::RowReducer(int width, int height, int divisor)
    : width_(width), height_(height), divisor_(divisor), sums_(static_cast<size_t>(ReducedSide(width, divisor)) * 3) {
  image_.width = ReducedSide(width, divisor);
  image_.height = ReducedSide(height, divisor);
  image_.original_width = width;
  image_.original_height = height;
  image_.rgb.reserve(static_cast<size_t>(image_.width) * image_.height * 3);
}

void RowReducer::Add(const uint8_t* rgb) {
  if (divisor_ == 1) {
    image_.rgb.insert(image_.rgb.end(), rgb, rgb + static_cast<size_t>(width_) * 3);
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
  for (int block = 0; block < image_.width; ++block) {
    const int columns = std::min(divisor_, width_ - block * divisor_);
    const uint32_t area = static_cast<uint32_t>(columns) * rows;
    for (int c = 0; c < 3; ++c) {
      image_.rgb.push_back(static_cast<uint8_t>((sums_[3 * static_cast<size_t>(block) + c] + area / 2) / area));
    }
  }
  std::fill(sums_.begin(), sums_.end(), 0);
}

Image RowReducer::Finish() && { return std::move(image_); }

}  // namespace sightline::image
