#include "model/layers/conv.h"

#include <limits>

#include "model/layers/same_padding.h"

namespace sightline::model {

torch::Tensor StandardiseFilters(const torch::Tensor& weight) {
  constexpr double kEpsilon = 1e-8;
  const torch::Tensor flat = weight.flatten(1);
  const torch::Tensor centred = flat - flat.mean(1, /*keepdim=*/true);
  const torch::Tensor variance = centred.square().mean(1, /*keepdim=*/true);
  return (centred / torch::sqrt(variance + kEpsilon)).view(weight.sizes());
}

torch::Tensor PadSame(const torch::Tensor& x, int64_t kernel, int64_t stride, double value) {
  const Padding rows = SamePadding(x.size(2), kernel, stride);
  const Padding columns = SamePadding(x.size(3), kernel, stride);
  if (rows.after == 0 && columns.after == 0) return x;
  return torch::constant_pad_nd(x, {columns.before, columns.after, rows.before, rows.after}, value);
}

torch::Tensor MaxPoolSame(const torch::Tensor& x) {
  return torch::max_pool2d(PadSame(x, 3, 2, -std::numeric_limits<float>::infinity()), {3, 3}, {2, 2});
}

StdConv::StdConv(int64_t in, int64_t out, int64_t kernel, int64_t stride)
    : kernel_(kernel),
      stride_(stride),
      weight_(register_parameter("weight", torch::empty({out, in, kernel, kernel}))) {}

void StdConv::Plan() { planned_weight_ = StandardiseFilters(weight_).contiguous(torch::MemoryFormat::ChannelsLast); }

torch::Tensor StdConv::Forward(const torch::Tensor& x) const {
  const torch::Tensor weight =
      is_training() || !planned_weight_.defined() ? StandardiseFilters(weight_) : planned_weight_;
  const Padding rows = SamePadding(x.size(2), kernel_, stride_);
  const Padding columns = SamePadding(x.size(3), kernel_, stride_);
  if (rows.before == rows.after && columns.before == columns.after) {
    return torch::conv2d(x, weight, {}, {stride_, stride_}, {rows.before, columns.before});
  }
  return torch::conv2d(PadSame(x, kernel_, stride_, 0), weight, {}, {stride_, stride_});
}

ConvBn::ConvBn(const Shape& shape)
    : shape_(shape),
      conv_(register_module("conv", std::make_shared<ConvWeight>(shape.out, shape.in / shape.groups, shape.kernel))),
      bn_(register_module("bn", std::make_shared<BatchNorm>(shape.out))) {}

void ConvBn::Plan() {
  const torch::Tensor scale = bn_->Scale().view({-1, 1, 1, 1});
  planned_weight_ = (conv_->weight * scale).contiguous(torch::MemoryFormat::ChannelsLast);
  planned_bias_ = bn_->Shift();
}

torch::Tensor ConvBn::Forward(const torch::Tensor& x) const {
  const int64_t padding = shape_.dilation * (shape_.kernel / 2);
  const auto convolve = [&](const torch::Tensor& weight, const torch::Tensor& bias) {
    return torch::conv2d(x, weight, bias, {1, 1}, {padding, padding}, {shape_.dilation, shape_.dilation},
                         shape_.groups);
  };
  if (is_training() || !planned_weight_.defined()) return bn_->Forward(convolve(conv_->weight, {}));
  return convolve(planned_weight_, planned_bias_);
}

}  // namespace sightline::model
