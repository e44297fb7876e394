#include "model/backbone/position_embedding.h"

#include <cmath>

namespace sightline::model {

torch::Tensor ResizePositionEmbedding(const torch::Tensor& embedding, int64_t height, int64_t width, int64_t prefix,
                                      GridResize resize) {
  const int64_t cells = embedding.size(1) - prefix;
  const auto grid = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(cells))));
  if (height == grid && width == grid) return embedding;
  const int64_t dim = embedding.size(2);
  // (1, g * g, D) -> (1, D, g, g) -> (1, D, h, w) -> (1, h * w, D)
  const torch::Tensor learned = embedding.narrow(1, prefix, cells).transpose(1, 2).reshape({1, dim, grid, grid});
  const torch::Tensor resized = resize == GridResize::kBilinear
                                    ? torch::upsample_bilinear2d(learned, {height, width}, /*align_corners=*/false)
                                    : torch::upsample_bicubic2d(learned, {height, width}, /*align_corners=*/false);
  return torch::cat({embedding.narrow(1, 0, prefix), resized.flatten(2).transpose(1, 2)}, 1);
}

}  // namespace sightline::model
