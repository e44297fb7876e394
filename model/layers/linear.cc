#include "model/layers/linear.h"

#include <vector>

namespace sightline::model {
namespace {

std::unique_ptr<engine::LinearMap> Pack(const PlanOptions& options, const torch::Tensor& weight,
                                        const torch::Tensor& bias) {
  const torch::Tensor rows = weight.detach().flatten(1).contiguous();
  const torch::Tensor biases = bias.defined() ? bias.detach().contiguous() : torch::Tensor();
  const float* const values = biases.defined() ? biases.data_ptr<float>() : nullptr;
  if (options.numeric == Numeric::kInt8 && rows.size(1) <= engine::kMostInt8Inputs) {
    if (options.report) ++options.report->int8_layers;
    return engine::PackInt8Linear(options.buffers, rows.data_ptr<float>(), values, rows.size(1), rows.size(0));
  }
  return engine::PackLinear(options.buffers, rows.data_ptr<float>(), values, rows.size(1), rows.size(0));
}

}  // namespace

PlannedLinear::PlannedLinear(const PlanOptions& options, const torch::Tensor& weight, const torch::Tensor& bias)
    : buffers_(options.buffers), out_(weight.size(0)), packed_(Pack(options, weight, bias)) {}

torch::Tensor PlannedLinear::Forward(const torch::Tensor& x, Activation activation) const {
  const torch::Tensor source = x.contiguous();
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = out_;
  const torch::Tensor y = Borrow(buffers_, sizes);
  packed_->Forward(source.data_ptr<float>(), y.numel() / out_, activation, y.data_ptr<float>());
  return y;
}

torch::Tensor PlannedLinear::AddTo(const torch::Tensor& residual, const torch::Tensor& x, Activation activation) const {
  const torch::Tensor source = x.contiguous();
  const torch::Tensor y = residual.contiguous();
  packed_->AddTo(source.data_ptr<float>(), y.numel() / out_, activation, y.data_ptr<float>());
  return y;
}

Linear::Linear(int64_t in, int64_t out, bool bias)
    : weight_(register_parameter("weight", torch::empty({out, in}))),
      bias_(bias ? register_parameter("bias", torch::empty({out})) : torch::Tensor()) {}

void Linear::Plan(const PlanOptions& options) {
  planned_.reset();
  if (options.settle.has_value()) {
    SettleParameter(weight_, weight_, *options.settle);
    SettleParameter(bias_, bias_, *options.settle);
    return;
  }
  if (IsPlain(weight_)) planned_.emplace(options, weight_, bias_);
}

torch::Tensor Linear::Forward(const torch::Tensor& x, Activation activation) const {
  if (planned_ && !is_training() && IsPlain(x)) return planned_->Forward(x, activation);
  return Activate(torch::linear(x, weight_, bias_), activation);
}

torch::Tensor Linear::AddTo(const torch::Tensor& residual, const torch::Tensor& x) const {
  if (planned_ && !is_training() && IsPlain(x)) return planned_->AddTo(residual, x, Activation::kNone);
  return residual + torch::linear(x, weight_, bias_);
}

}  // namespace sightline::model
