// Dynamic position embedding: the learned grid is resized to the token grid of every batch.
#ifndef SIGHTLINE_MODEL_BACKBONE_POSITION_EMBEDDING_H_
#define SIGHTLINE_MODEL_BACKBONE_POSITION_EMBEDDING_H_

#include <torch/torch.h>

namespace sightline::model {

// `embedding` is (1, 1 + g * g, D), row 0 for the class token, the rest row by row. Returns (1, 1 + height * width, D):
// row 0 unchanged, the grid resized bilinearly (align_corners = false, no antialiasing, DToP's choice); `embedding`
// itself when height = width = g. Gradients flow through.
torch::Tensor ResizePositionEmbedding(const torch::Tensor& embedding, int64_t height, int64_t width);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_BACKBONE_POSITION_EMBEDDING_H_
