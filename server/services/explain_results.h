// Evidence for the best results of a search, as far as there is time for it.
//
// Threading: blocks; call it on a worker. Ownership: borrows what the job names during the call. Failure: CANCELLED,
// DATA_LOSS for what is stored and damaged, what the transport refuses.
#ifndef SIGHTLINE_SERVER_SERVICES_EXPLAIN_RESULTS_H_
#define SIGHTLINE_SERVER_SERVICES_EXPLAIN_RESULTS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "index/collection.h"
#include "model/model.h"
#include "server/request.h"
#include "server/services/query_tokens.h"
#include "server/services/rerank_choice.h"
#include "sightline/v1/search_service.pb.h"

namespace sightline::server {

struct ExplainJob {
  Request& request;
  const index::Collection& collection;
  const model::Model* model = nullptr;  // that embedded the collection; null for descriptors computed elsewhere
  absl::Span<const QueryTokens> query;  // at least one, all of one dimension
  const RerankChoice& choice;
  const std::optional<index::FittedConfidence>& confidence;
  const v1::ExplainOptions& options;
  base::Clock::Ticks end;  // when there is no more time
};

// Sets the evidence of the first results, and says in `degraded_reasons` where there is none.
absl::Status ExplainResults(const ExplainJob& job, google::protobuf::RepeatedPtrField<v1::SearchResult>* results,
                            std::vector<std::string>* degraded_reasons);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_EXPLAIN_RESULTS_H_
