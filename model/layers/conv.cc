#include "model/layers/conv.h"

#include <limits>
#include <utility>

#include "model/engine/max_pool.h"
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

// LibTorch's max pool also computes where each maximum was. Windows begin `top` rows above and `left` columns before
// the map; the output has ceil(n / 2) positions.
torch::Tensor MaxPoolFast(const torch::Tensor& x, int64_t top, int64_t left) {
  constexpr auto kChannelsLast = torch::MemoryFormat::ChannelsLast;
  const torch::Tensor source = x.contiguous(kChannelsLast);
  const torch::Tensor y = torch::empty({x.size(0), x.size(1), (x.size(2) + 1) / 2, (x.size(3) + 1) / 2},
                                       torch::TensorOptions().memory_format(kChannelsLast));
  engine::MaxPool(source.data_ptr<float>(),
                  {.batch = x.size(0),
                   .height = x.size(2),
                   .width = x.size(3),
                   .channels = x.size(1),
                   .out_height = y.size(2),
                   .out_width = y.size(3),
                   .top = top,
                   .left = left},
                  y.data_ptr<float>());
  return y;
}

}  // namespace

torch::Tensor PadSame(const torch::Tensor& x, int64_t kernel, int64_t stride, double value) {
  const Padding rows = SamePadding(x.size(2), kernel, stride);
  const Padding columns = SamePadding(x.size(3), kernel, stride);
  if (rows.after == 0 && columns.after == 0) return x;
  return torch::constant_pad_nd(x, {columns.before, columns.after, rows.before, rows.after}, value);
}

torch::Tensor MaxPoolPadded(const torch::Tensor& x) {
  if (IsPlain(x)) return MaxPoolFast(x, 1, 1);
  return torch::max_pool2d(x, {3, 3}, {2, 2}, {1, 1});
}

torch::Tensor MaxPoolSame(const torch::Tensor& x) {
  if (IsPlain(x)) return MaxPoolFast(x, SamePadding(x.size(2), 3, 2).before, SamePadding(x.size(3), 3, 2).before);
  return torch::max_pool2d(PadSame(x, 3, 2, -std::numeric_limits<float>::infinity()), {3, 3}, {2, 2});
}

StdConv::StdConv(int64_t in, int64_t out, int64_t kernel, int64_t stride)
    : shape_{.in = in, .out = out, .kernel = kernel, .stride = stride, .bias = false},
      weight_(register_parameter("weight", torch::empty({out, in, kernel, kernel}))) {}

void StdConv::Plan(const PlanOptions& options) {
  planned_.reset();
  if (options.settle.has_value()) {
    SettleParameter(weight_, StandardiseFilters(weight_), *options.settle);
    settled_ = true;
    return;
  }
  if (IsPlain(weight_)) {
    planned_.emplace(options, path(), StandardiseFilters(weight_), torch::Tensor(), shape_, Pad::kSame);
  }
}

torch::Tensor StdConv::Forward(const torch::Tensor& x) const {
  if (planned_ && !is_training() && IsPlain(x)) return planned_->Forward(x, Activation::kNone);
  return Convolve(PadSame(x, shape_.kernel, shape_.stride, 0), settled_ ? weight_ : StandardiseFilters(weight_), {},
                  shape_);
}

Conv::Conv(const ConvShape& shape)
    : shape_(shape),
      weight_(
          register_parameter("weight", torch::empty({shape.out, shape.in / shape.groups, shape.kernel, shape.kernel}))),
      bias_(shape.bias ? register_parameter("bias", torch::empty({shape.out})) : torch::Tensor()) {}

void Conv::Settle(const torch::Tensor& weight, const torch::Tensor& bias, torch::ScalarType type) {
  SettleParameter(weight_, weight, type);
  if (bias.defined() && !bias_.defined()) bias_ = register_parameter("bias", torch::empty_like(bias));
  SettleParameter(bias_, bias, type);
}

void Conv::Plan(const PlanOptions& options) {
  planned_.reset();
  if (options.settle.has_value()) {
    if (!left_to_norm_) Settle(weight_, bias_, *options.settle);
    return;
  }
  if (IsPlain(weight_) && !left_to_norm_) planned_.emplace(options, path(), weight_, bias_, shape_, Pad::kShape);
}

torch::Tensor Conv::Forward(const torch::Tensor& x, Activation activation) const {
  if (planned_ && !is_training() && IsPlain(x)) return planned_->Forward(x, activation);
  return Activate(Convolve(x, weight_, bias_, shape_), activation);
}

ConvNorm::ConvNorm(std::shared_ptr<Conv> conv, std::shared_ptr<BatchNorm> norm)
    : conv_(std::move(conv)), norm_(std::move(norm)) {
  conv_->LeaveToNorm();
}

void ConvNorm::Plan(const PlanOptions& options) {
  planned_.reset();
  if (!options.settle.has_value() && !IsPlain(conv_->weight())) return;
  const torch::Tensor scale = norm_->Scale();
  const torch::Tensor shift = norm_->Shift();
  const torch::Tensor weight = conv_->weight() * scale.view({-1, 1, 1, 1});
  const torch::Tensor bias = conv_->bias().defined() ? shift + conv_->bias() * scale : shift;
  if (options.settle.has_value()) {
    conv_->Settle(weight, bias, *options.settle);
    settled_ = true;
    return;
  }
  planned_.emplace(options, conv_->path(), weight, bias, conv_->shape(), Pad::kShape);
}

torch::Tensor ConvNorm::Forward(const torch::Tensor& x, Activation activation) const {
  if (planned_ && !conv_->is_training() && IsPlain(x)) return planned_->Forward(x, activation);
  if (settled_) return conv_->Forward(x, activation);
  return Activate(norm_->Forward(conv_->Forward(x)), activation);
}

torch::Tensor ConvNorm::AddToAndRelu(const torch::Tensor& residual, const torch::Tensor& x) const {
  if (planned_ && !conv_->is_training() && IsPlain(x)) return planned_->AddTo(residual, x, Activation::kRelu);
  return torch::relu(residual + Forward(x));
}

ConvBn::ConvBn(const ConvShape& shape)
    : folded_(register_module("conv", std::make_shared<Conv>(shape)),
              register_module("bn", std::make_shared<BatchNorm>(shape.out))) {}

}  // namespace sightline::model
