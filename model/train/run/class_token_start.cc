#include "model/train/run/class_token_start.h"

#include <algorithm>
#include <map>
#include <string>
#include <variant>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/weights/load.h"

namespace sightline::train {
namespace {

// What the patches' part of the descriptor weighs beside the class token's, entry by entry.
constexpr float kPatchGain = 0.4f;

}  // namespace

absl::Status StartFromClassToken(const model::ModelConfig& config, model::Network& network) {
  const auto* const head = std::get_if<model::DtopConfig>(&config.head);
  const int64_t width = model::Facts(config.backbone).dim;
  if (head == nullptr || !head->global || head->dim < width) {
    return base::InvalidArgument("INVALID_CONFIG", absl::StrCat("init.head is class_token, and model ", config.name,
                                                                " has no DToP head with a global branch and ", width,
                                                                " values or more. Take init.head out."));
  }
  const torch::NoGradGuard no_grad;
  std::map<std::string, torch::Tensor> values;
  for (const model::NamedTensor& tensor : model::InferenceTensors(network)) values[tensor.name] = tensor.tensor;
  const auto copy_identity = [](torch::Tensor block) {
    const int64_t size = std::min(block.size(0), block.size(1));
    block.zero_();
    for (int64_t i = 0; i < size; ++i) block[i][i] = 1;
  };
  const auto last = [&](const char* name) {
    const torch::Tensor stacked = values[name].zero_().flatten(1);
    return stacked.narrow(1, (head->layers - 1) * width, width);
  };
  copy_identity(last("dtop.global_fc.weight"));
  values["dtop.global_fc.bias"].zero_();
  const torch::Tensor last_map = values["dtop.final_fc.weight"].zero_();
  values["dtop.final_fc.bias"].zero_();
  copy_identity(last_map.narrow(0, 0, width).narrow(1, 0, width));
  if (!head->local) return absl::OkStatus();

  copy_identity(last("dtop.local_conv.weight"));
  values["dtop.local_conv.bias"].zero_();
  copy_identity(values["dtop.local_fc.weight"]);
  values["dtop.local_fc.bias"].zero_();
  const int64_t left = std::min(head->dim - width, width);
  if (left == 0) return absl::OkStatus();
  copy_identity(last_map.narrow(0, width, left).narrow(1, head->dim, left));
  values["dtop.bn.weight"].narrow(0, width, left).fill_(kPatchGain);
  return absl::OkStatus();
}

}  // namespace sightline::train
