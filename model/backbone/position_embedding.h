// Dynamic position embedding: the learned grid is resized to the token grid of every batch.
#ifndef SIGHTLINE_MODEL_BACKBONE_POSITION_EMBEDDING_H_
#define SIGHTLINE_MODEL_BACKBONE_POSITION_EMBEDDING_H_

#include <torch/torch.h>

namespace sightline::model {

enum class GridResize {
  kBilinear,
  kBicubic,  // a = -0.75
};

// `embedding` is (1, prefix + g * g, D): rows for tokens of no place, then the grid row by row. Returns
// (1, prefix + height * width, D): the first rows unchanged, the grid resized (align_corners = false, no antialiasing);
// `embedding` itself when height = width = g. Gradients flow through.
torch::Tensor ResizePositionEmbedding(const torch::Tensor& embedding, int64_t height, int64_t width, int64_t prefix = 1,
                                      GridResize resize = GridResize::kBilinear);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_BACKBONE_POSITION_EMBEDDING_H_
