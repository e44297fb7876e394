// Swin transformers in model.json: attention within windows, four stages of halving resolution. Defaults are Swin-T's.
//
// Threading: pure functions and values. Failure: INVALID_ARGUMENT with reason INVALID_MODEL_CONFIG.
#ifndef SIGHTLINE_MODEL_CONFIG_SWIN_CONFIG_H_
#define SIGHTLINE_MODEL_CONFIG_SWIN_CONFIG_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/config/facts.h"
#include "model/config/fields.h"

namespace sightline::model {

struct SwinConfig {
  static constexpr absl::string_view kType = "swin";
  int patch = 4;                           // pixels of a patch's side
  int dim = 96;                            // channels of the first stage; every stage has twice those of the one before
  std::vector<int> depths = {2, 2, 6, 2};  // blocks of every stage
  std::vector<int> heads = {3, 6, 12, 24};
  int window = 7;     // cells of a window's side
  int mlp_ratio = 4;  // hidden width of the MLP / channels

  static absl::StatusOr<SwinConfig> Parse(Fields& fields);
  nlohmann::json ToJson() const;
  BackboneFacts facts() const;
  int64_t parameters() const;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_SWIN_CONFIG_H_
