// The linear map that may end a head, in model.json: "fc": {"dim": 512, "l2_before": true, "bias": true, "bn": false}.
// Without the member a head gives what it pooled.
//
//   l2_before  x / (|x| + 1e-6) first: the learned whitening of the GeM family (METHODS 4.5)
//   bn         a batch norm behind the map: the head of GLAM and of ArcFace recipes (METHODS 2.6)
//
// Threading: pure functions and values. Failure: INVALID_ARGUMENT with reason INVALID_MODEL_CONFIG.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(config.fc, FcConfig::ParseOptional(fields));
//   WriteOptional(config.fc, json);
#ifndef SIGHTLINE_MODEL_CONFIG_FC_CONFIG_H_
#define SIGHTLINE_MODEL_CONFIG_FC_CONFIG_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/status/statusor.h"
#include "model/config/fields.h"

namespace sightline::model {

struct FcConfig {
  int dim = 0;
  bool l2_before = false;
  bool bias = true;
  bool bn = false;

  // The member "fc" of a head's object; nothing where it has none.
  static absl::StatusOr<std::optional<FcConfig>> ParseOptional(Fields& fields);
  int64_t parameters(int64_t in) const;
};

// Adds the member "fc" where there is one.
void WriteOptional(const std::optional<FcConfig>& config, nlohmann::json& head);

// Of what leaves the map, and of its parameters, given the size of what enters it.
int FcDim(const std::optional<FcConfig>& config, int in);
int64_t FcParameters(const std::optional<FcConfig>& config, int64_t in);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_FC_CONFIG_H_
