#include "model/head/elm.h"

#include <string>

namespace sightline::model {

InvertedResidual::InvertedResidual(int64_t dim, int64_t expand) {
  const int64_t wide = dim * expand;
  expand_ = register_module("expand", std::make_shared<ConvBn>(ConvBn::Shape{.in = dim, .out = wide}));
  dw_ = register_module("dw", std::make_shared<ConvBn>(
                                  ConvBn::Shape{.in = wide, .out = wide, .kernel = 3, .dilation = 1, .groups = wide}));
  project_ = register_module("project", std::make_shared<ConvBn>(ConvBn::Shape{.in = wide, .out = dim}));
}

torch::Tensor InvertedResidual::Forward(const torch::Tensor& x) const {
  const torch::Tensor wide = torch::clamp(expand_->Forward(x), 0, 6);
  return project_->Forward(torch::clamp(dw_->Forward(wide), 0, 6));
}

class Aspp::Out : public Layer {
 public:
  Out(int64_t width, int64_t dim)
      : weight(register_parameter("weight", torch::empty({dim, width, 1, 1}))),
        bias(register_parameter("bias", torch::empty({dim}))) {}
  torch::Tensor weight;
  torch::Tensor bias;
};

Aspp::Aspp(int64_t dim, int64_t width) {
  const std::vector<ConvBn::Shape> shapes = {{.in = dim, .out = width},
                                             {.in = dim, .out = width, .kernel = 3, .dilation = 6},
                                             {.in = dim, .out = width, .kernel = 3, .dilation = 12},
                                             {.in = dim, .out = width, .kernel = 3, .dilation = 18}};
  for (size_t i = 0; i < shapes.size(); ++i) {
    branches_.push_back(register_module("branch" + std::to_string(i), std::make_shared<ConvBn>(shapes[i])));
  }
  pool_ = register_module("pool", std::make_shared<ConvBn>(ConvBn::Shape{.in = dim, .out = width}));
  merge_ = register_module("merge", std::make_shared<ConvBn>(ConvBn::Shape{.in = 5 * width, .out = width}));
  out_ = register_module("out", std::make_shared<Out>(width, dim));
}

torch::Tensor Aspp::Forward(const torch::Tensor& x) const {
  std::vector<torch::Tensor> maps;
  for (const auto& branch : branches_) maps.push_back(torch::relu(branch->Forward(x)));
  // Upsampling a 1x1 map is repeating it.
  const torch::Tensor mean = torch::relu(pool_->Forward(x.mean({2, 3}, /*keepdim=*/true)));
  maps.push_back(mean.expand({-1, -1, x.size(2), x.size(3)}));
  return torch::conv2d(torch::relu(merge_->Forward(torch::cat(maps, 1))), out_->weight, out_->bias);
}

Elm::Elm(int64_t dim, int64_t expand, int64_t aspp_width)
    : irb_(register_module("irb", std::make_shared<InvertedResidual>(dim, expand))),
      aspp_(register_module("aspp", std::make_shared<Aspp>(dim, aspp_width))) {}

}  // namespace sightline::model
