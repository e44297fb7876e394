#include "model/weights/load.h"

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "base/status.h"
#include "model/weights/strict_json.h"

namespace sightline::model {
namespace {

constexpr absl::string_view kBatchCounter = "num_batches_tracked";
constexpr absl::string_view kLossWeight = "head.weight";

// The file's values as float32, in a tensor of their own.
torch::Tensor ToFloat(const weights::TensorView& view) {
  const torch::Tensor values = torch::empty(view.shape, torch::kFloat);
  weights::ToFloats(view.dtype, view.bytes,
                    absl::MakeSpan(values.data_ptr<float>(), static_cast<size_t>(values.numel())));
  return values;
}

std::string ShapeText(c10::IntArrayRef shape) { return absl::StrCat("(", absl::StrJoin(shape, ", "), ")"); }

struct Findings {
  std::vector<std::string> missing, unexpected, misshaped, not_finite;

  absl::Status ToStatus() const {
    std::string problems;
    const auto add = [&problems](absl::string_view what, const std::vector<std::string>& names) {
      // Enough for every tensor of a ViT-B; a hostile file must not make a message of megabytes.
      constexpr size_t kMostNamed = 400;
      if (names.empty()) return;
      const size_t named = std::min(names.size(), kMostNamed);
      absl::StrAppend(&problems, problems.empty() ? "" : "; ", names.size(), " ", what, ": ",
                      absl::StrJoin(names.begin(), names.begin() + named, ", "), named < names.size() ? ", ..." : "");
    };
    add("missing", missing);
    add("unexpected", unexpected);
    add("wrongly shaped", misshaped);
    add("not finite", not_finite);
    if (problems.empty()) return absl::OkStatus();
    return base::InvalidArgument("WEIGHTS_MISMATCH",
                                 absl::StrCat("the weights do not fit the architecture of model.json: ", problems,
                                              ". Use the weights file that belongs to this model.json."),
                                 {{"missing", absl::StrCat(missing.size())},
                                  {"unexpected", absl::StrCat(unexpected.size())},
                                  {"wrongly_shaped", absl::StrCat(misshaped.size())},
                                  {"not_finite", absl::StrCat(not_finite.size())}});
  }
};

}  // namespace

std::vector<NamedTensor> InferenceTensors(const torch::nn::Module& module) {
  std::vector<NamedTensor> tensors;
  for (const auto& item : module.named_parameters()) tensors.push_back({item.key(), item.value()});
  for (const auto& item : module.named_buffers()) {
    if (!absl::EndsWith(item.key(), kBatchCounter)) {
      tensors.push_back({item.key(), item.value()});
    }
  }
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return tensors;
}

absl::Status LoadTensors(const weights::Safetensors& file, const std::vector<NamedTensor>& targets) {
  torch::NoGradGuard no_grad;
  Findings findings;
  std::map<std::string, const weights::TensorView*> found;
  for (const weights::TensorView& view : file.tensors) found[view.name] = &view;
  for (const NamedTensor& target : targets) {
    const auto entry = found.find(target.name);
    if (entry == found.end()) {
      findings.missing.push_back(target.name);
      continue;
    }
    const weights::TensorView& view = *entry->second;
    if (target.tensor.sizes() != c10::IntArrayRef(view.shape)) {
      findings.misshaped.push_back(
          absl::StrCat(target.name, " is ", ShapeText(view.shape), " instead of ", ShapeText(target.tensor.sizes())));
    } else {
      const torch::Tensor values = ToFloat(view);
      if (torch::isfinite(values).all().item<bool>()) {
        torch::Tensor destination = target.tensor;
        destination.copy_(values);
      } else {
        findings.not_finite.push_back(target.name);
      }
    }
    found.erase(entry);
  }
  for (const auto& [name, view] : found) {
    if (!absl::EndsWith(name, kBatchCounter) && name != kLossWeight)
      findings.unexpected.push_back(weights::Quoted(name));
  }
  return findings.ToStatus();
}

}  // namespace sightline::model
