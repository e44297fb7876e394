// Vgg: stages of 3x3 convolutions with ReLU and a max pool between them (Simonyan and Zisserman 2014), the
// convolutional part alone.
//
// Gives one map. Parameter names are torchvision's, features.{n}.{weight,bias}, where n counts convolutions, ReLUs and
// pools alike.
#ifndef SIGHTLINE_MODEL_BACKBONE_VGG_H_
#define SIGHTLINE_MODEL_BACKBONE_VGG_H_

#include <memory>
#include <vector>

#include "model/backbone/backbone.h"
#include "model/config/architecture.h"
#include "model/layers/conv.h"

namespace sightline::model {

class Vgg : public Backbone {
 public:
  explicit Vgg(const VggConfig& config);
  // A side shorter than a cell is padded with zeros, the mean colour, to one.
  Features Forward(const torch::Tensor& images, const Wanted& wanted) override;

 private:
  const VggEnd end_;
  const int64_t stride_;
  std::vector<std::vector<std::shared_ptr<Conv>>> stages_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_BACKBONE_VGG_H_
