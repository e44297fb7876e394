// Backbone: normalised images in, token sequences or maps out. One implementation per family.
#ifndef SIGHTLINE_MODEL_BACKBONE_BACKBONE_H_
#define SIGHTLINE_MODEL_BACKBONE_BACKBONE_H_

#include <cstdint>
#include <vector>

#include "model/layers/layer.h"

namespace sightline::model {

// What a forward pass is asked for beyond the last map.
struct Wanted {
  int64_t layers = 1;    // the last so many token sequences, where the backbone has any
  int64_t maps = 1;      // the last so many maps
  bool rollout = false;  // attention rollout over all blocks
};

struct Features {
  // The last layers, oldest first, each (B, prefix + height * width, D) after the final norm: tokens that stand for no
  // place (the class token first), then the grid row by row. Empty for a backbone of maps.
  std::vector<torch::Tensor> layers;
  // The last maps, oldest first, each (B, C, h, w). Empty for a backbone of tokens.
  std::vector<torch::Tensor> maps;
  int64_t prefix = 0;
  // Of the last grid or map.
  int64_t height = 0;
  int64_t width = 0;
  // (B, height * width): how much the class token of the last block attends to each patch, mean over heads; where it
  // attends to a coarser grid, each value is repeated over the patches of its cell. Undefined without a class token.
  torch::Tensor cls_attention;
  // (B, height * width), when asked for and offered.
  torch::Tensor rollout;
};

// The grid of the last layer, or the last map: (B, C, height, width). A view where it can be one.
torch::Tensor LastMap(const Features& features);

// What stands for the whole image: the class token of the last layer, or the mean of the last map. (B, C)
torch::Tensor Centre(const Features& features);

class Backbone : public Layer {
 public:
  // `images` is (B, 3, H, W).
  virtual Features Forward(const torch::Tensor& images, const Wanted& wanted) = 0;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_BACKBONE_BACKBONE_H_
