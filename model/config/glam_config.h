// The head of GLAM (global-local attention, arXiv 2107.08000; METHODS 2) in model.json. Defaults are the paper's; each
// of the four attentions can be left out, as in its ablation.
//
// Threading: pure functions and values. Failure: INVALID_ARGUMENT with reason INVALID_MODEL_CONFIG.
#ifndef SIGHTLINE_MODEL_CONFIG_GLAM_CONFIG_H_
#define SIGHTLINE_MODEL_CONFIG_GLAM_CONFIG_H_

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/config/facts.h"
#include "model/config/fields.h"

namespace sightline::model {

struct GlamConfig {
  static constexpr absl::string_view kType = "glam";
  int dim = 512;      // N, the descriptor's size
  int reduction = 8;  // c / c', channels of the map over those inside the spatial attentions
  bool local_channel = true;
  bool local_spatial = true;
  bool global_channel = true;
  bool global_spatial = true;

  static absl::StatusOr<GlamConfig> Parse(Fields& fields);
  nlohmann::json ToJson() const;
  HeadFacts facts() const { return {}; }
  int descriptor_dim(const BackboneFacts&) const { return dim; }
  int64_t parameters(const BackboneFacts& backbone) const;

  bool local() const { return local_channel || local_spatial; }
  bool global() const { return global_channel || global_spatial; }
  // Learned weights of the sum of the local map, the global map and the backbone's own; 0 where that one is alone.
  int fused() const { return local() || global() ? 1 + local() + global() : 0; }
  int64_t reduced(int64_t channels) const { return std::max<int64_t>(1, channels / reduction); }
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_GLAM_CONFIG_H_
