#include "model/weights/seeded_init.h"

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "model/weights/seeded_random.h"

namespace sightline::model {
namespace {

// Values per output: the product of all dimensions but the first.
int64_t FanIn(const torch::Tensor& tensor) { return tensor.numel() / tensor.size(0); }

bool FeedsRectifier(absl::string_view name) {
  return absl::StrContains(name, ".fc1.") || absl::StrContains(name, ".expand.") || absl::StrContains(name, ".dw.") ||
         absl::StrContains(name, ".aspp.branch") || absl::StrContains(name, ".aspp.pool.") ||
         absl::StrContains(name, ".aspp.merge.");
}

bool EndsResidualBranch(absl::string_view name) {
  return absl::EndsWith(name, ".attn.proj.weight") || absl::EndsWith(name, ".fc2.weight");
}

// The standard deviation of a matrix or filter bank.
double Deviation(absl::string_view name, const torch::Tensor& tensor, int depth) {
  // Added to tokens of variance about 1: visible, yet not the main thing a token says.
  if (absl::EndsWith(name, "pos_embed")) return 0.1;
  double gain = 1;
  if (FeedsRectifier(name)) gain = std::sqrt(2.0);
  // 2 branches a block; together they add as much variance as the stem's features have.
  if (EndsResidualBranch(name)) gain = 1 / std::sqrt(2.0 * depth);
  return gain / std::sqrt(static_cast<double>(FanIn(tensor)));
}

void Fill(const NamedTensor& target, int depth, uint64_t seed) {
  torch::Tensor tensor = target.tensor;
  const absl::string_view name = target.name;
  if (absl::EndsWith(name, "running_var") || absl::EndsWith(name, "fuse.w")) {
    tensor.fill_(1);
  } else if (absl::EndsWith(name, "cls_token")) {
    // The class token starts empty, so that all it holds later was gathered from the image.
    tensor.zero_();
  } else if (tensor.dim() == 1) {
    tensor.fill_(absl::EndsWith(name, ".weight") ? 1 : 0);
  } else {
    const auto deviation = static_cast<float>(Deviation(name, tensor, depth));
    weights::SeededRandom random(seed, name);
    float* const values = tensor.data_ptr<float>();
    for (int64_t i = 0; i < tensor.numel(); ++i) values[i] = deviation * random.Normal();
    if (absl::EndsWith(name, "pos_embed")) tensor.select(1, 0).zero_();
  }
}

}  // namespace

void InitialiseSeeded(const std::vector<NamedTensor>& tensors, int depth, uint64_t seed) {
  torch::NoGradGuard no_grad;
  for (const NamedTensor& target : tensors) Fill(target, depth, seed);
}

}  // namespace sightline::model
