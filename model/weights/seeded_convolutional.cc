#include "model/weights/seeded_convolutional.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "model/weights/seeded_gabor.h"
#include "model/weights/seeded_random.h"

namespace sightline::model {
namespace {

// What a block adds to its shortcut: a deep random stack would wash out colour and texture.
constexpr float kResidualGain = 0.3f;
// Sum of a blob filter over its window, about: normalised pixels come out with a deviation of about 1.
constexpr double kFirstSum = 2;

// He's deviation for what feeds a rectifier, sqrt(2 / values per filter), and every filter's mean taken away.
void FillCentred(torch::Tensor tensor, weights::SeededRandom& random) {
  const int64_t filters = tensor.size(0);
  const int64_t size = tensor.numel() / filters;
  const auto deviation = static_cast<float>(std::sqrt(2.0 / static_cast<double>(size)));
  float* values = tensor.data_ptr<float>();
  for (int64_t filter = 0; filter < filters; ++filter, values += size) {
    double sum = 0;
    for (int64_t i = 0; i < size; ++i) {
      values[i] = random.Normal();
      sum += values[i];
    }
    const auto mean = static_cast<float>(sum / static_cast<double>(size));
    for (int64_t i = 0; i < size; ++i) values[i] = deviation * (values[i] - mean);
  }
}

bool IsConvolutional(absl::string_view part) {
  for (const absl::string_view first :
       {"conv1.", "bn1.", "layer1.", "layer2.", "layer3.", "layer4.", "soa", "features."}) {
    if (absl::StartsWith(part, first)) return true;
  }
  return false;
}

}  // namespace

absl::string_view LastBlockNorm(const std::vector<NamedTensor>& tensors) {
  const bool three = std::any_of(tensors.begin(), tensors.end(), [](const NamedTensor& tensor) {
    return tensor.name == "backbone.layer1.0.bn3.weight";
  });
  return three ? "bn3" : "bn2";
}

bool FillConvolutional(const NamedTensor& target, absl::string_view last_block_norm, uint64_t seed) {
  absl::string_view part = target.name;
  if (!absl::ConsumePrefix(&part, "backbone.") || !IsConvolutional(part)) return false;
  torch::Tensor tensor = target.tensor;
  weights::SeededRandom random(seed, target.name);
  const bool weight = absl::EndsWith(part, ".weight");
  if (absl::EndsWith(part, ".running_var")) {
    tensor.fill_(1);
  } else if (tensor.dim() == 1) {
    const bool last = absl::EndsWith(part, absl::StrCat(".", last_block_norm, ".weight"));
    tensor.fill_(last ? kResidualGain : (weight ? 1.0f : 0.0f));
  } else if (part == "conv1.weight" || part == "features.0.weight") {
    FillGabor(tensor, random, kFirstSum / static_cast<double>(tensor.size(2) * tensor.size(3)));
  } else if (absl::EndsWith(part, ".v.weight")) {
    tensor.zero_();
  } else {
    FillCentred(tensor, random);
  }
  return true;
}

}  // namespace sightline::model
