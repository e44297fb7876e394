#include "model/train/run/optimiser.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace sightline::train {
namespace {

double ScaleOf(const TrainConfig& config, const std::string& name) {
  double scale = 1;
  size_t longest = 0;
  for (const auto& [prefix, factor] : config.lr_scale) {
    if (prefix.size() < longest || !absl::StartsWith(name, prefix)) continue;
    longest = prefix.size();
    scale = factor;
  }
  return scale;
}

}  // namespace

std::vector<TrainedParameter> PlanParameters(const TrainConfig& config, torch::nn::Module& network,
                                             torch::nn::Module* loss) {
  std::vector<TrainedParameter> parameters;
  for (const auto& item : network.named_parameters()) {
    const std::string& name = item.key();
    const double lr = config.optimiser.lr * ScaleOf(config, name);
    const bool frozen = lr == 0 || std::any_of(config.freeze.begin(), config.freeze.end(),
                                               [&](const auto& prefix) { return absl::StartsWith(name, prefix); });
    item.value().set_requires_grad(!frozen);
    if (frozen) continue;
    const bool decays = item.value().dim() > 1 || config.optimiser.decay_vectors;
    parameters.push_back({name, item.value(), lr, decays ? config.optimiser.weight_decay : 0});
  }
  if (loss == nullptr) return parameters;
  for (const auto& item : loss->named_parameters()) {
    const bool decays = item.value().dim() > 1 || config.optimiser.decay_vectors;
    parameters.push_back({absl::StrCat("loss/", item.key()), item.value(), config.optimiser.loss_lr,
                          decays ? config.optimiser.weight_decay : 0});
  }
  return parameters;
}

double GradientNorm(const std::vector<TrainedParameter>& parameters) {
  std::vector<torch::Tensor> norms;
  for (const TrainedParameter& parameter : parameters) {
    if (parameter.tensor.grad().defined()) norms.push_back(parameter.tensor.grad().norm());
  }
  return norms.empty() ? 0 : torch::stack(norms).norm().item<double>();
}

Optimiser::Optimiser(const OptimiserConfig& config, std::vector<TrainedParameter> parameters)
    : config_(config), parameters_(std::move(parameters)) {
  torch::NoGradGuard no_grad;
  for (const TrainedParameter& parameter : parameters_) {
    first_.push_back(torch::zeros_like(parameter.tensor));
    if (config_.kind == OptimiserKind::kAdamw) second_.push_back(torch::zeros_like(parameter.tensor));
  }
}

void Optimiser::Step(double factor, double gradient_scale) {
  torch::NoGradGuard no_grad;
  ++steps_;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const torch::Tensor gradient = parameters_[i].tensor.grad();
    if (!gradient.defined()) continue;
    if (gradient_scale != 1) gradient.mul_(gradient_scale);
    if (config_.kind == OptimiserKind::kAdamw) {
      StepAdamw(i, gradient, factor);
    } else {
      StepSgd(i, gradient, factor);
    }
  }
}

void Optimiser::StepAdamw(size_t index, const torch::Tensor& gradient, double factor) {
  const TrainedParameter& parameter = parameters_[index];
  const double lr = parameter.lr * factor;
  const auto t = static_cast<double>(steps_);
  torch::Tensor value = parameter.tensor;
  if (parameter.weight_decay > 0) value.mul_(1 - lr * parameter.weight_decay);
  first_[index].mul_(config_.beta1).add_(gradient, 1 - config_.beta1);
  second_[index].mul_(config_.beta2).addcmul_(gradient, gradient, 1 - config_.beta2);
  const double first_bias = 1 - std::pow(config_.beta1, t);
  const double second_bias = 1 - std::pow(config_.beta2, t);
  const torch::Tensor denominator = second_[index].sqrt().div_(std::sqrt(second_bias)).add_(config_.epsilon);
  value.addcdiv_(first_[index], denominator, -lr / first_bias);
}

void Optimiser::StepSgd(size_t index, const torch::Tensor& gradient, double factor) {
  const TrainedParameter& parameter = parameters_[index];
  torch::Tensor value = parameter.tensor;
  const torch::Tensor whole =
      parameter.weight_decay > 0 ? torch::add(gradient, value, parameter.weight_decay) : gradient;
  // Zeros at first, so that the first step's momentum is its gradient.
  first_[index].mul_(config_.momentum).add_(whole);
  value.add_(config_.nesterov ? whole.add(first_[index], config_.momentum) : first_[index], -parameter.lr * factor);
}

void Optimiser::ZeroGradients() {
  for (TrainedParameter& parameter : parameters_) parameter.tensor.mutable_grad().reset();
}

std::vector<model::NamedTensor> Optimiser::State() const {
  std::vector<model::NamedTensor> state;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    state.push_back({absl::StrCat(parameters_[i].name, "/first"), first_[i]});
    if (!second_.empty()) state.push_back({absl::StrCat(parameters_[i].name, "/second"), second_[i]});
  }
  return state;
}

}  // namespace sightline::train
