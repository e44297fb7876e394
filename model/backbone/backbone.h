// Backbone: normalised images in, the token sequences of the last layers out. One implementation per family.
#ifndef SIGHTLINE_MODEL_BACKBONE_BACKBONE_H_
#define SIGHTLINE_MODEL_BACKBONE_BACKBONE_H_

#include <cstdint>
#include <vector>

#include "model/layers/layer.h"

namespace sightline::model {

struct Features {
  // The last k layers, oldest first, each (B, 1 + height * width, D) after the final norm; row 0 is the class token,
  // then the grid row by row.
  std::vector<torch::Tensor> layers;
  int64_t height = 0;
  int64_t width = 0;
  // (B, height * width): how much the class token of the last block attends to each patch, mean over heads.
  torch::Tensor cls_attention;
};

class Backbone : public Layer {
 public:
  // `images` is (B, 3, H, W); `layers` is k, from 1 to the number of blocks.
  virtual Features Forward(const torch::Tensor& images, int64_t layers) = 0;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_BACKBONE_BACKBONE_H_
