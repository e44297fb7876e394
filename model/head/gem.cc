#include "model/head/gem.h"

#include "model/config/pool_config.h"

namespace sightline::model {

GemPool::GemPool(std::optional<double> fixed_p) : planned_p_(fixed_p) {
  constexpr float kStart = 3;
  if (!fixed_p.has_value()) p_ = register_parameter("p", torch::full({1}, kStart));
}

void GemPool::Plan(const PlanOptions&) {
  if (!p_.defined()) return;
  planned_p_ = p_.item<double>();
  // What no training leaves behind would turn every descriptor into NaN.
  TORCH_CHECK(*planned_p_ >= kLeastExponent && *planned_p_ <= kMostExponent, "the weights hold ", *planned_p_,
              " as the exponent of GeM; it must be from ", kLeastExponent, " to ", kMostExponent);
}

double GemPool::exponent() const { return planned_p_.has_value() ? *planned_p_ : p_.item<double>(); }

torch::Tensor GemPool::Forward(const torch::Tensor& map) const {
  constexpr double kFloor = 1e-6;
  const torch::Tensor x = torch::clamp_min(map, kFloor);
  if (p_.defined() && (is_training() || !planned_p_.has_value())) return x.pow(p_).mean({2, 3}).pow(1 / p_);
  return x.pow(*planned_p_).mean({2, 3}).pow(1 / *planned_p_);
}

}  // namespace sightline::model
