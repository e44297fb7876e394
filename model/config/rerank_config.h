// The member "rerank" of model.json: what searches re-rank by when they do not say. It may be absent, and so may each
// of its members.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT with reason INVALID_MODEL_CONFIG.
//
//   auto rerank = ParseRerank(root["rerank"], DefaultRerank(config.backbone));
#ifndef SIGHTLINE_MODEL_CONFIG_RERANK_CONFIG_H_
#define SIGHTLINE_MODEL_CONFIG_RERANK_CONFIG_H_

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "model/config/architecture.h"
#include "model/rerank_defaults.h"

namespace sightline::model {

// Off for plain vision transformers, whose results it makes worse; on for networks with convolutions or windows.
RerankDefaults DefaultRerank(const BackboneConfig& backbone);

// `value`'s members over `defaults`.
absl::StatusOr<RerankDefaults> ParseRerank(const nlohmann::json& value, RerankDefaults defaults);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_RERANK_CONFIG_H_
