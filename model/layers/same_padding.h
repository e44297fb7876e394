// SAME padding: an output of ceil(n / stride) positions, the odd pixel of padding after the input (bottom and right).
#ifndef SIGHTLINE_MODEL_LAYERS_SAME_PADDING_H_
#define SIGHTLINE_MODEL_LAYERS_SAME_PADDING_H_

#include <algorithm>
#include <cstdint>

namespace sightline::model {

struct Padding {
  int64_t before = 0;
  int64_t after = 0;
};

// total = max((ceil(n / s) - 1) s + k - n, 0), before = floor(total / 2).
constexpr Padding SamePadding(int64_t n, int64_t kernel, int64_t stride) {
  const int64_t out = (n + stride - 1) / stride;
  const int64_t total = std::max<int64_t>((out - 1) * stride + kernel - n, 0);
  return {total / 2, total - total / 2};
}

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_LAYERS_SAME_PADDING_H_
