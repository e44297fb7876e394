#include "model/train/loss/arcface.h"

#include <cmath>
#include <numbers>

#include "model/train/loss/pairs.h"

namespace sightline::train {
namespace {

// Least sin^2(theta): its root has no gradient at 0. 3e-4 rad is finer than float32 cosines tell angles near 0 apart.
constexpr double kLeastSineSquared = 1e-7;

}  // namespace

ArcFace::ArcFace(const LossConfig& config, int64_t dim, int64_t classes)
    : margin_(config.margin),
      scale_(config.scale),
      sub_centres_(config.sub_centres),
      weight_(register_parameter("weight", torch::empty({classes * config.sub_centres, dim}))) {
  torch::nn::init::xavier_uniform_(weight_);
}

torch::Tensor ArcFace::Forward(const torch::Tensor& outputs, const torch::Tensor& labels) {
  const FullPrecision full_precision;
  if (outputs.size(0) == 0) return ZeroLoss(outputs);  // whose mean would be 0 / 0
  torch::Tensor cosines = UnitRows(outputs).matmul(UnitRows(weight_).t());
  if (sub_centres_ > 1) {
    cosines = std::get<0>(cosines.view({cosines.size(0), -1, sub_centres_}).max(/*dim=*/2));
  }
  const torch::Tensor truth = labels.unsqueeze(1);
  const torch::Tensor cosine = cosines.gather(1, truth);
  const torch::Tensor sine = (1 - cosine.square()).clamp_min(kLeastSineSquared).sqrt();
  const torch::Tensor turned = cosine * std::cos(margin_) - sine * std::sin(margin_);
  const torch::Tensor beyond = cosine - margin_ * std::sin(std::numbers::pi - margin_);
  const torch::Tensor phi = torch::where(cosine > std::cos(std::numbers::pi - margin_), turned, beyond);
  return torch::nn::functional::cross_entropy(scale_ * cosines.scatter(1, truth, phi), labels);
}

}  // namespace sightline::train
