#include "model/config/rerank_config.h"

#include <array>
#include <variant>

#include "absl/strings/string_view.h"
#include "base/status.h"
#include "model/config/fields.h"

namespace sightline::model {
namespace {

// In the order of the enumerations.
constexpr std::array<absl::string_view, 2> kRerankMethods = {"optimal_transport", "off"};
constexpr std::array<absl::string_view, 6> kMarginals = {"uniform", "cross_correlation", "inverse",
                                                         "minus",   "softmax",           "importance"};

}  // namespace

RerankDefaults DefaultRerank(const BackboneConfig& backbone) {
  RerankDefaults defaults;
  if (std::holds_alternative<VitConfig>(backbone)) defaults.method = RerankDefaults::Method::kOff;
  return defaults;
}

absl::StatusOr<RerankDefaults> ParseRerank(const nlohmann::json& value, RerankDefaults defaults) {
  using Method = RerankDefaults::Method;
  using Marginals = RerankDefaults::Marginals;
  Fields fields(value, "rerank");
  RerankDefaults rerank = defaults;
  rerank.method = static_cast<Method>(fields.OneOf("method", kRerankMethods, static_cast<int>(defaults.method)));
  rerank.mass = fields.Number("mass", 0, 1, defaults.mass);
  fields.Require(rerank.mass > 0, "mass", "must be above 0 and at most 1");
  rerank.epsilon = fields.Number("epsilon", 0.001, 10, defaults.epsilon);
  rerank.marginals =
      static_cast<Marginals>(fields.OneOf("marginals", kMarginals, static_cast<int>(defaults.marginals)));
  rerank.temperature = fields.Number("temperature", 0.001, 1000, defaults.temperature);
  rerank.weight = fields.Number("weight", 0, 100, defaults.weight);
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return rerank;
}

}  // namespace sightline::model
