// What a request asks for about patches: re-ranking by optimal transport, and how much evidence.
//
// Threading: pure functions and values. Failure: INVALID_ARGUMENT with field, limit and actual value.
//
//   SIGHTLINE_RETURN_IF_ERROR(ValidateRerank(message.rerank(), limits.record));
//   const RerankChoice choice = ChooseRerank(message.rerank(), model == nullptr ? nullptr : &model->info());
#ifndef SIGHTLINE_SERVER_SERVICES_RERANK_CHOICE_H_
#define SIGHTLINE_SERVER_SERVICES_RERANK_CHOICE_H_

#include "absl/status/status.h"
#include "index/record.h"
#include "index/rerank/transport_options.h"
#include "model/model.h"
#include "sightline/v1/rerank.pb.h"
#include "sightline/v1/search_service.pb.h"

namespace sightline::server {

inline constexpr int kDefaultShortlist = 100;
inline constexpr int kMaxShortlist = 1000;
inline constexpr int kMaxCorrespondences = 200;
inline constexpr int kMaxExplainedResults = 100;

struct RerankChoice {
  bool on = false;     // whether results are re-ranked
  bool asked = false;  // by the request itself: what cannot be done is then refused, not left out
  int shortlist = kDefaultShortlist;
  double weight = 1;  // of the structural score
  index::rerank::TransportOptions transport;
};

absl::Status ValidateRerank(const v1::RerankOptions& options, const index::RecordLimits& limits);

// What is left out comes from the model; from the API's own defaults, without re-ranking, where `model` is null.
RerankChoice ChooseRerank(const v1::RerankOptions& options, const model::ModelInfo* model);

absl::Status ValidateExplain(absl::string_view field, const v1::ExplainOptions& options);

// The number asked for, or the default of 10 for 0.
inline int CorrespondencesOf(const v1::ExplainOptions& options) {
  return options.correspondences() == 0 ? 10 : options.correspondences();
}
inline int ExplainedResultsOf(const v1::ExplainOptions& options) {
  return options.results() == 0 ? 10 : options.results();
}

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_RERANK_CHOICE_H_
