// Strict JSON: what nlohmann::json accepts, less duplicate keys and deep nesting, within a size limit.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT with reason MALFORMED_JSON and one sentence; never an exception.
//
//   auto json = weights::ParseStrictJson(text, "model.json", {});
#ifndef SIGHTLINE_MODEL_WEIGHTS_STRICT_JSON_H_
#define SIGHTLINE_MODEL_WEIGHTS_STRICT_JSON_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sightline::weights {

struct JsonLimits {
  int64_t max_bytes = 1 << 20;
  int max_depth = 8;
};

// `what` names the text in errors.
absl::StatusOr<nlohmann::json> ParseStrictJson(absl::string_view text, absl::string_view what,
                                               const JsonLimits& limits);

// Foreign text made fit for an error message: valid UTF-8, at most 120 bytes.
std::string Quoted(absl::string_view text);

}  // namespace sightline::weights

#endif  // SIGHTLINE_MODEL_WEIGHTS_STRICT_JSON_H_
