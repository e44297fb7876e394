#include "model/head/elm.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace sightline::model {

InvertedResidual::InvertedResidual(int64_t dim, int64_t expand) {
  const int64_t wide = dim * expand;
  expand_ = register_module("expand", std::make_shared<ConvBn>(ConvShape{.in = dim, .out = wide, .bias = false}));
  dw_ = register_module("dw", std::make_shared<ConvBn>(ConvShape{
                                  .in = wide, .out = wide, .kernel = 3, .padding = 1, .groups = wide, .bias = false}));
  project_ = register_module("project", std::make_shared<ConvBn>(ConvShape{.in = wide, .out = dim, .bias = false}));
}

torch::Tensor InvertedResidual::Forward(const torch::Tensor& x) const {
  return project_->Forward(dw_->Forward(expand_->Forward(x, Activation::kRelu6), Activation::kRelu6));
}

Aspp::Aspp(int64_t dim, int64_t width) {
  std::vector<ConvShape> shapes = {{.in = dim, .out = width, .bias = false}};
  for (const int64_t dilation : {6, 12, 18}) {
    shapes.push_back({.in = dim, .out = width, .kernel = 3, .padding = dilation, .dilation = dilation, .bias = false});
  }
  for (size_t i = 0; i < shapes.size(); ++i) {
    branches_.push_back(register_module("branch" + std::to_string(i), std::make_shared<ConvBn>(shapes[i])));
  }
  pool_ = register_module("pool", std::make_shared<ConvBn>(ConvShape{.in = dim, .out = width, .bias = false}));
  merge_ = register_module("merge", std::make_shared<ConvBn>(ConvShape{.in = 5 * width, .out = width, .bias = false}));
  out_ = register_module("out", std::make_shared<Conv>(ConvShape{.in = width, .out = dim}));
}

torch::Tensor Aspp::Forward(const torch::Tensor& x) const {
  std::vector<torch::Tensor> maps;
  for (const auto& branch : branches_) maps.push_back(branch->Forward(x, Activation::kRelu));
  // Upsampling a 1x1 map is repeating it.
  const torch::Tensor mean = pool_->Forward(x.mean({2, 3}, /*keepdim=*/true), Activation::kRelu);
  maps.push_back(mean.expand({-1, -1, x.size(2), x.size(3)}));
  return out_->Forward(merge_->Forward(torch::cat(maps, 1), Activation::kRelu));
}

Elm::Elm(int64_t dim, int64_t expand, int64_t aspp_width)
    : irb_(register_module("irb", std::make_shared<InvertedResidual>(dim, expand))),
      aspp_(register_module("aspp", std::make_shared<Aspp>(dim, aspp_width))) {}

void Elm::UseWave(double height, double factor) {
  wave_height_ = height;
  wave_factor_ = factor;
}

torch::Tensor Elm::Wave(const torch::Tensor& x) const {
  if (!is_training() || wave_height_ <= 0 || wave_factor_ == 1) return x;
  const int64_t rows = x.size(2);
  const auto band = std::clamp<int64_t>(std::llround(wave_height_ * static_cast<double>(rows)), 1, rows);
  const auto first = torch::randint(rows - band + 1, {1}, torch::kLong).item<int64_t>();
  const torch::Tensor factors = torch::full({rows, 1}, wave_factor_, x.options());
  factors.narrow(0, first, band).fill_(1);
  return x * factors;
}

}  // namespace sightline::model
