#include "server/services/rerank_choice.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/services/field_checks.h"

namespace sightline::server {
namespace {

using index::rerank::Marginals;

Marginals MarginalsOf(model::RerankDefaults::Marginals marginals) {
  using M = model::RerankDefaults::Marginals;
  switch (marginals) {
    case M::kUniform: return Marginals::kUniform;
    case M::kCrossCorrelation: return Marginals::kCrossCorrelation;
    case M::kInverse: return Marginals::kInverse;
    case M::kMinus: return Marginals::kMinus;
    case M::kSoftmax: return Marginals::kSoftmax;
    case M::kImportance: return Marginals::kImportance;
  }
  return Marginals::kCrossCorrelation;
}

// `fallback` for MARGINALS_UNSPECIFIED.
absl::StatusOr<Marginals> MarginalsOf(v1::RerankOptions::Marginals marginals, Marginals fallback) {
  using R = v1::RerankOptions;
  switch (marginals) {
    case R::MARGINALS_UNSPECIFIED: return fallback;
    case R::MARGINALS_UNIFORM: return Marginals::kUniform;
    case R::MARGINALS_CROSS_CORRELATION: return Marginals::kCrossCorrelation;
    case R::MARGINALS_INVERSE: return Marginals::kInverse;
    case R::MARGINALS_MINUS: return Marginals::kMinus;
    case R::MARGINALS_SOFTMAX: return Marginals::kSoftmax;
    case R::MARGINALS_IMPORTANCE: return Marginals::kImportance;
    default: return UnknownEnum("rerank.marginals", marginals);
  }
}

absl::Status CheckMass(double mass) {
  SIGHTLINE_RETURN_IF_ERROR(CheckFinite("rerank.mass", mass));
  if (mass > 0 && mass <= 1) return absl::OkStatus();
  return base::InvalidArgument(
      "VALUE_OUT_OF_RANGE",
      absl::StrCat("rerank.mass is ", mass, "; it must be above 0 and at most 1. Correct it, or leave it out."),
      {{"field", "rerank.mass"}, {"actual", absl::StrCat(mass)}, {"limit", "1"}});
}

}  // namespace

absl::Status ValidateRerank(const v1::RerankOptions& options, const index::RecordLimits& limits) {
  switch (options.method()) {
    case v1::RerankOptions::METHOD_UNSPECIFIED:
    case v1::RerankOptions::METHOD_OFF:
    case v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT: break;
    default: return UnknownEnum("rerank.method", options.method());
  }
  SIGHTLINE_RETURN_IF_ERROR(CheckRange("rerank.shortlist", options.shortlist(), 0, kMaxShortlist));
  if (options.has_mass()) SIGHTLINE_RETURN_IF_ERROR(CheckMass(options.mass()));
  if (options.has_epsilon()) SIGHTLINE_RETURN_IF_ERROR(CheckNumber("rerank.epsilon", options.epsilon(), 0.001, 10));
  SIGHTLINE_RETURN_IF_ERROR(MarginalsOf(options.marginals(), Marginals::kUniform).status());
  if (options.has_temperature()) {
    SIGHTLINE_RETURN_IF_ERROR(CheckNumber("rerank.temperature", options.temperature(), 0.001, 1000));
  }
  if (options.has_weight()) SIGHTLINE_RETURN_IF_ERROR(CheckNumber("rerank.weight", options.weight(), 0, 100));
  SIGHTLINE_RETURN_IF_ERROR(CheckRange("rerank.query_cells", options.query_cells(), 0, limits.max_token_cells));
  return CheckRange("rerank.result_cells", options.result_cells(), 0, limits.max_token_cells);
}

RerankChoice ChooseRerank(const v1::RerankOptions& options, const model::ModelInfo* model) {
  RerankChoice choice;
  choice.asked = options.method() == v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT;
  choice.on = choice.asked;
  if (model != nullptr) {
    const model::RerankDefaults& defaults = model->rerank;
    choice.on = choice.asked || (options.method() == v1::RerankOptions::METHOD_UNSPECIFIED &&
                                 defaults.method == model::RerankDefaults::Method::kOptimalTransport);
    choice.weight = defaults.weight;
    choice.transport.mass = defaults.mass;
    choice.transport.epsilon = defaults.epsilon;
    choice.transport.temperature = defaults.temperature;
    choice.transport.marginals = MarginalsOf(defaults.marginals);
  }
  if (options.shortlist() > 0) choice.shortlist = options.shortlist();
  if (options.has_weight()) choice.weight = options.weight();
  if (options.has_mass()) choice.transport.mass = options.mass();
  if (options.has_epsilon()) choice.transport.epsilon = options.epsilon();
  if (options.has_temperature()) choice.transport.temperature = options.temperature();
  choice.transport.marginals =
      MarginalsOf(options.marginals(), choice.transport.marginals).value_or(choice.transport.marginals);
  choice.transport.query_cells = options.query_cells();
  choice.transport.result_cells = options.result_cells();
  return choice;
}

absl::Status ValidateExplain(absl::string_view field, const v1::ExplainOptions& options) {
  SIGHTLINE_RETURN_IF_ERROR(
      CheckRange(absl::StrCat(field, ".correspondences"), options.correspondences(), 0, kMaxCorrespondences));
  return CheckRange(absl::StrCat(field, ".results"), options.results(), 0, kMaxExplainedResults);
}

}  // namespace sightline::server
