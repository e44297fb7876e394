#include "model/weights/seeded_init.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "model/weights/seeded_convolutional.h"
#include "model/weights/seeded_gabor.h"
#include "model/weights/seeded_random.h"

namespace sightline::model {
namespace {

// Norms in front of rectifiers are shifted down, so that a rectifier passes what stands out and not half of everything:
// sparse features, averaged over an image, behave like a histogram.
constexpr float kStageThreshold = -0.3f;
constexpr float kMlpThreshold = -0.5f;
// What a convolutional block adds to its shortcut: a deep random stack would wash out colour and texture.
constexpr float kBottleneckGain = 0.3f;
// What all blocks of the transformer add to a token, as a standard deviation beside the token's own of about 1.
constexpr double kAttentionGain = 0.1;
constexpr double kMlpGain = 3.0;
// The class token's share of the descriptor beside the patches'.
constexpr float kGlobalGain = 0.1f;
// Where GeM starts in every published recipe.
constexpr float kGemExponent = 3;
// NetVLAD: sharp assignments, and centroids short enough that they do not hide what differs from them.
constexpr double kAssignmentGain = 4;
constexpr double kCentroidGain = 0.1;
// What the enhanced locality module adds to the patches' map.
constexpr double kLocalityGain = 0.1;

// Values per output: the product of all dimensions but the first.
int64_t FanIn(const torch::Tensor& tensor) { return tensor.numel() / tensor.size(0); }

bool FeedsRectifier(absl::string_view name) {
  return absl::StrContains(name, ".expand.") || absl::StrContains(name, ".dw.") ||
         absl::StrContains(name, ".aspp.branch") || absl::StrContains(name, ".aspp.pool.") ||
         absl::StrContains(name, ".aspp.merge.");
}

// The standard deviation of a matrix or filter bank.
double Deviation(absl::string_view name, const torch::Tensor& tensor, int depth) {
  constexpr double kPosition = 0.05;  // small beside tokens of variance about 1: instances move around
  if (absl::EndsWith(name, "pos_embed")) return kPosition;
  double gain = FeedsRectifier(name) ? std::sqrt(2.0) : 1;
  if (absl::EndsWith(name, ".attn.proj.weight")) gain = kAttentionGain / std::sqrt(depth);
  if (absl::EndsWith(name, ".fc2.weight")) gain = kMlpGain / std::sqrt(depth);
  if (absl::EndsWith(name, ".aspp.out.weight")) gain = kLocalityGain;
  if (absl::EndsWith(name, "netvlad.pool.conv.weight"))
    gain = kAssignmentGain * std::sqrt(static_cast<double>(FanIn(tensor)));
  if (absl::EndsWith(name, "netvlad.pool.centroids")) gain = kCentroidGain;
  return gain / std::sqrt(static_cast<double>(FanIn(tensor)));
}

float NormValue(absl::string_view name) {
  if (absl::EndsWith(name, ".gamma")) return 1;
  const bool weight = absl::EndsWith(name, ".weight");
  if (absl::EndsWith(name, ".mlp.fc1.bias")) return kMlpThreshold;
  if (!absl::StrContains(name, ".patch_embed.backbone.")) return weight ? 1 : 0;
  if (absl::StrContains(name, ".norm3.")) return weight ? kBottleneckGain : 0;
  return weight ? 1 : kStageThreshold;
}

// (out, k * dim) as the mean of k groups of inputs, entry by entry; surplus outputs stay 0, surplus inputs are dropped.
// Random maps here would only add noise to distances: what the head pools is already mixed.
void FillMean(torch::Tensor tensor, int64_t groups, float gain) {
  const torch::Tensor matrix = tensor.zero_().flatten(1);
  const int64_t dim = matrix.size(1) / groups;
  for (int64_t i = 0; i < std::min(dim, matrix.size(0)); ++i) {
    for (int64_t group = 0; group < groups; ++group) matrix[i][group * dim + i] = gain / static_cast<float>(groups);
  }
}

// How many groups of inputs a matrix of the head averages; 0 for a matrix that is random.
int64_t MeanGroups(absl::string_view name, const torch::Tensor& tensor, int64_t token_dim) {
  if (absl::EndsWith(name, ".global_fc.weight") || absl::EndsWith(name, ".local_conv.weight")) {
    return tensor.size(1) / token_dim;
  }
  if (absl::EndsWith(name, ".local_fc.weight")) return 1;
  return absl::EndsWith(name, ".final_fc.weight") ? tensor.size(1) / tensor.size(0) : 0;
}

void Fill(const NamedTensor& target, int depth, int64_t token_dim, uint64_t seed) {
  torch::Tensor tensor = target.tensor;
  const absl::string_view name = target.name;
  weights::SeededRandom random(seed, name);
  if (absl::EndsWith(name, "running_var") || absl::EndsWith(name, "fuse.w")) {
    tensor.fill_(1);
  } else if (absl::EndsWith(name, ".pool.p") || absl::EndsWith(name, ".pool_g.p")) {
    tensor.fill_(kGemExponent);
  } else if (absl::EndsWith(name, "cls_token")) {
    // The class token starts empty, so that all it holds later was gathered from the image.
    tensor.zero_();
  } else if (tensor.dim() == 1) {
    tensor.fill_(NormValue(name));
  } else if (absl::EndsWith(name, ".stem.conv.weight")) {
    FillGabor(tensor, random);
  } else if (const int64_t groups = MeanGroups(name, tensor, token_dim); groups > 0) {
    FillMean(tensor, groups, absl::EndsWith(name, ".global_fc.weight") ? kGlobalGain : 1.0f);
  } else {
    const auto deviation = static_cast<float>(Deviation(name, tensor, depth));
    float* const values = tensor.data_ptr<float>();
    for (int64_t i = 0; i < tensor.numel(); ++i) values[i] = deviation * random.Normal();
    if (absl::EndsWith(name, "pos_embed")) tensor.select(1, 0).zero_();
  }
}

}  // namespace

void InitialiseSeeded(const std::vector<NamedTensor>& tensors, int depth, uint64_t seed) {
  torch::NoGradGuard no_grad;
  int64_t token_dim = 1;
  for (const NamedTensor& target : tensors) {
    if (absl::EndsWith(target.name, "cls_token")) token_dim = target.tensor.size(2);
  }
  const absl::string_view last_block_norm = LastBlockNorm(tensors);
  for (const NamedTensor& target : tensors) {
    if (!FillConvolutional(target, last_block_norm, seed)) Fill(target, depth, token_dim, seed);
  }
}

}  // namespace sightline::model
