// The head NetVLAD (METHODS 4.2) in model.json.
//
//   {"type": "netvlad", "clusters": 64, "wpca": 4096}
//
// Threading: pure functions and values. Failure: INVALID_ARGUMENT with reason INVALID_MODEL_CONFIG.
#ifndef SIGHTLINE_MODEL_CONFIG_NETVLAD_CONFIG_H_
#define SIGHTLINE_MODEL_CONFIG_NETVLAD_CONFIG_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/config/facts.h"
#include "model/config/fields.h"

namespace sightline::model {

struct NetvladConfig {
  static constexpr absl::string_view kType = "netvlad";
  int clusters = 64;                       // K
  bool conv_bias = false;                  // of the assignment, as "vladv2" weights have it
  std::optional<int> wpca = std::nullopt;  // size after a linear map; without it K times the channels

  static absl::StatusOr<NetvladConfig> Parse(Fields& fields);
  nlohmann::json ToJson() const;
  HeadFacts facts() const { return {}; }
  int descriptor_dim(const BackboneFacts& backbone) const { return wpca.value_or(clusters * backbone.dim); }
  int64_t parameters(const BackboneFacts& backbone) const;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_NETVLAD_CONFIG_H_
