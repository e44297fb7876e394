#include "model/layers/conv.h"

#include <limits>
#include <utility>

#include "model/layers/same_padding.h"

namespace sightline::model {

torch::Tensor StandardiseFilters(const torch::Tensor& weight) {
  constexpr double kEpsilon = 1e-8;
  const torch::Tensor flat = weight.flatten(1);
  const torch::Tensor centred = flat - flat.mean(1, /*keepdim=*/true);
  const torch::Tensor variance = centred.square().mean(1, /*keepdim=*/true);
  return (centred / torch::sqrt(variance + kEpsilon)).view(weight.sizes());
}

namespace {

torch::Tensor Convolve(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                       const ConvShape& shape) {
  return torch::conv2d(x, weight, bias, {shape.stride, shape.stride}, {shape.padding, shape.padding},
                       {shape.dilation, shape.dilation}, shape.groups);
}

}  // namespace

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

void StdConv::Plan(const PlanOptions&) {
  planned_weight_ = StandardiseFilters(weight_).contiguous(torch::MemoryFormat::ChannelsLast);
}

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

Conv::Conv(const ConvShape& shape)
    : shape_(shape),
      weight_(
          register_parameter("weight", torch::empty({shape.out, shape.in / shape.groups, shape.kernel, shape.kernel}))),
      bias_(shape.bias ? register_parameter("bias", torch::empty({shape.out})) : torch::Tensor()) {}

torch::Tensor Conv::Forward(const torch::Tensor& x, Activation activation) const {
  return Activate(Convolve(x, weight_, bias_, shape_), activation);
}

ConvNorm::ConvNorm(std::shared_ptr<Conv> conv, std::shared_ptr<BatchNorm> norm)
    : conv_(std::move(conv)), norm_(std::move(norm)) {}

void ConvNorm::Plan(const PlanOptions&) {
  const torch::Tensor scale = norm_->Scale();
  planned_weight_ = (conv_->weight() * scale.view({-1, 1, 1, 1})).contiguous(torch::MemoryFormat::ChannelsLast);
  planned_bias_ = norm_->Shift();
  if (conv_->bias().defined()) planned_bias_ = planned_bias_ + conv_->bias() * scale;
}

torch::Tensor ConvNorm::Forward(const torch::Tensor& x, Activation activation) const {
  if (conv_->is_training() || !planned_weight_.defined()) {
    return Activate(norm_->Forward(conv_->Forward(x)), activation);
  }
  return Activate(Convolve(x, planned_weight_, planned_bias_, conv_->shape()), activation);
}

torch::Tensor ConvNorm::AddToAndRelu(const torch::Tensor& residual, const torch::Tensor& x) const {
  return torch::relu(residual + Forward(x));
}

ConvBn::ConvBn(const ConvShape& shape)
    : folded_(register_module("conv", std::make_shared<Conv>(shape)),
              register_module("bn", std::make_shared<BatchNorm>(shape.out))) {}

}  // namespace sightline::model
