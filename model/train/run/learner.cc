#include "model/train/run/learner.h"

#include <ATen/autocast_mode.h>

#include <algorithm>
#include <cmath>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/layers/norm.h"
#include "model/train/run/distill.h"
#include "model/train/run/pixels.h"
#include "model/train/run/schedule.h"

namespace sightline::train {
namespace {

constexpr int64_t kBeforeTraining = -1;  // the step whose seed the loss's own values are drawn from

bool BeginsWithOneOf(const std::string& name, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&name](const auto& p) { return absl::StartsWith(name, p); });
}

// Four-dimensional weights with the channels last, which is how the convolutions of channels-last maps want them.
void UseChannelsLast(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (torch::Tensor& parameter : module.parameters()) {
    if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(torch::MemoryFormat::ChannelsLast));
  }
}

absl::Status CheckNames(const TrainConfig& config, const torch::nn::Module& network) {
  std::vector<std::string> prefixes = config.freeze;
  for (const auto& [prefix, factor] : config.lr_scale) prefixes.push_back(prefix);
  for (const std::string& prefix : prefixes) {
    bool any = false;
    for (const auto& item : network.named_parameters()) any |= absl::StartsWith(item.key(), prefix);
    if (any) continue;
    return base::InvalidArgument("INVALID_CONFIG",
                                 absl::StrCat("no parameter of the model has a name that begins with \"", prefix,
                                              "\", which freeze or lr_scale says. Correct the name."));
  }
  return absl::OkStatus();
}

}  // namespace

uint64_t StepSeed(uint64_t seed, int64_t step) {
  // SplitMix64 (Steele et al. 2014): neighbouring steps get seeds that have nothing in common.
  uint64_t z = seed * 0x9E3779B97F4A7C15ULL + static_cast<uint64_t>(step + 2) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

Learner::Learner(const TrainConfig& config, const StartingPoint& start, torch::Device device)
    : config_(config), model_(start.config), network_(start.network), device_(device) {}

absl::StatusOr<std::unique_ptr<Learner>> Learner::Build(const TrainConfig& config, const StartingPoint& start,
                                                        int64_t classes, torch::Device device) {
  SIGHTLINE_RETURN_IF_ERROR(CheckNames(config, *start.network));
  // make_unique cannot reach the constructor.
  std::unique_ptr<Learner> learner(new Learner(config, start, device));
  model::Network& network = *learner->network_;
  network.to(device);
  UseChannelsLast(network);
  network.head().UseNoise(
      {.dropout = config.dropout, .wave_height = config.wave_height, .wave_factor = config.wave_factor});
  if (config.loss.kind != LossKind::kNone) {
    torch::manual_seed(StepSeed(config.seed, kBeforeTraining));
    learner->loss_ = BuildLoss(config.loss, start.config.descriptor_dim(), classes);
    learner->loss_->to(device);
    learner->parts_.emplace_back("labels");
  }
  if (config.distill.has_value()) {
    learner->layers_ = LayersWanted(*config.distill);
    for (const DistillTarget& target : config.distill->targets) learner->parts_.emplace_back(TargetName(target.kind));
    SIGHTLINE_ASSIGN_OR_RETURN(learner->teacher_,
                               Teacher::Load(config.distill->teacher, config.distill->size, learner->layers_, device));
    SIGHTLINE_RETURN_IF_ERROR(learner->CheckTeacher());
  }
  learner->values_ = model::InferenceTensors(network);
  learner->optimiser_ =
      std::make_unique<Optimiser>(config.optimiser, PlanParameters(config, network, learner->loss_.get()));
  if (learner->optimiser_->parameters().empty()) {
    return base::InvalidArgument("INVALID_CONFIG",
                                 "freeze and lr_scale leave no parameter to train. Take a name out of them.");
  }
  if (config.ema > 0) learner->average_.emplace(learner->values_, config.ema);
  learner->Train();
  return learner;
}

void Learner::Train() {
  network_->train();
  if (loss_ != nullptr) loss_->train();
  for (const auto& item : network_->named_modules()) {
    if (std::dynamic_pointer_cast<model::BatchNorm>(item.value()) == nullptr) continue;
    const bool of_backbone = absl::StartsWith(item.key(), "backbone.");
    if ((config_.freeze_bn && of_backbone) || BeginsWithOneOf(item.key() + ".", config_.freeze)) item.value()->eval();
  }
}

// Both models look at a blank photograph of every size that batches will have.
absl::Status Learner::CheckTeacher() {
  const torch::NoGradGuard no_grad;
  network_->eval();
  for (const SamplerConfig::Size& size : config_.sampler.sizes) {
    const torch::Tensor pixels = torch::zeros({1, 3, size.height, size.width}, torch::kByte).to(device_);
    const ForwardResult student = ForwardNetwork(*network_, model_, Normalise(pixels, model_.preprocess), layers_);
    SIGHTLINE_RETURN_IF_ERROR(CheckShapes(*config_.distill, student, teacher_->Look(pixels)));
  }
  return absl::OkStatus();
}

torch::Tensor Learner::Loss(const LoadedBatch& batch, StepResult& result) {
  const torch::Tensor pixels = BatchPixels(batch, device_);
  TeacherAnswer lesson;
  if (teacher_ != nullptr) lesson = teacher_->Look(pixels);
  ForwardResult own = ForwardNetwork(*network_, model_, Normalise(pixels, model_.preprocess), layers_);
  own.descriptor = own.descriptor.to(torch::kFloat);
  torch::Tensor sum;
  const auto add = [&](const torch::Tensor& part, double weight) {
    result.parts.push_back(part.item<double>());
    sum = sum.defined() ? sum + weight * part : weight * part;
  };
  if (loss_ != nullptr) {
    const torch::Tensor labels = torch::tensor(batch.labels, torch::kLong).to(device_);
    add(loss_->Forward(own.descriptor, labels), config_.loss_weight);
  }
  if (teacher_ != nullptr) {
    for (const DistillTarget& target : config_.distill->targets) {
      add(DistillLoss(target, own, lesson), target.weight);
    }
  }
  return sum;
}

StepResult Learner::Step(const LoadedBatch& batch, const StepPlace& place) {
  torch::manual_seed(StepSeed(config_.seed, place.step));
  StepResult result;
  torch::Tensor loss;
  {
    // bfloat16 has the range of float32: gradients need no scaling.
    const bool mixed = config_.amp && device_.is_cuda();
    if (mixed) at::autocast::set_autocast_gpu_dtype(at::kBFloat16);
    at::autocast::set_enabled(mixed);
    const auto leave = absl::MakeCleanup([] {
      at::autocast::clear_cache();
      at::autocast::set_enabled(false);
    });
    loss = Loss(batch, result);
  }
  result.loss = loss.item<double>();
  result.finite = std::isfinite(result.loss);
  if (!result.finite) return result;
  loss.backward();
  result.gradient_norm = GradientNorm(optimiser_->parameters());
  result.finite = std::isfinite(result.gradient_norm);
  if (result.finite) {
    const double factor = RateFactor(config_.schedule, config_.optimiser.lr, place.step, place.steps, place.epoch);
    const bool clipped = config_.clip > 0 && result.gradient_norm > config_.clip;
    optimiser_->Step(factor, clipped ? config_.clip / result.gradient_norm : 1);
    if (average_) average_->Update(values_, place.step + 1);
    result.rate = config_.optimiser.lr * factor;
  }
  optimiser_->ZeroGradients();
  return result;
}

std::vector<model::NamedTensor> Learner::State() const {
  std::vector<model::NamedTensor> state;
  const auto add = [&state](absl::string_view part, const std::vector<model::NamedTensor>& tensors) {
    for (const model::NamedTensor& tensor : tensors) state.push_back({absl::StrCat(part, tensor.name), tensor.tensor});
  };
  add("network/", values_);
  if (average_) add("average/", average_->values());
  if (loss_ != nullptr) add("loss/", model::InferenceTensors(*loss_));
  add("optimiser/", optimiser_->State());
  return state;
}

}  // namespace sightline::train
