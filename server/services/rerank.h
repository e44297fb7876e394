// Re-ranking of a search's hits by their patches: tokens of the shortlist read, matched by transport, the hits put into
// the new order. What does not fit into the time there is stays as it was, and the outcome says so.
//
// Threading: blocks; call it on a worker, whose pool then helps. Ownership: borrows what the job names during the call.
// Failure: CANCELLED, DATA_LOSS for tokens that are damaged, what the re-ranker refuses.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(RerankOutcome outcome, Rerank({...}, std::move(hits)));
#ifndef SIGHTLINE_SERVER_SERVICES_RERANK_H_
#define SIGHTLINE_SERVER_SERVICES_RERANK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/thread_pool.h"
#include "index/collection.h"
#include "index/rerank/transport_device.h"
#include "server/request.h"
#include "server/services/query_tokens.h"
#include "server/services/rerank_choice.h"

namespace sightline::server {

// Tokens are read this many at a time, so that a search that has no time left does not read a thousand...
inline constexpr size_t kTokensPerRead = 100;
// ...and no more of them than this are kept for one search.
inline constexpr int64_t kMaxTokenBytes = int64_t{256} << 20;

struct RerankJob {
  Request& request;
  const index::Collection& collection;
  base::ThreadPool* pool = nullptr;
  absl::Span<const QueryTokens> query;  // at least one, all of one dimension
  const RerankChoice& choice;
  int keep = 0;            // how many of the best are wanted
  base::Clock::Ticks end;  // when there is no more time
  int64_t max_token_bytes = kMaxTokenBytes;
  index::rerank::TransportDevice* device = nullptr;  // null: the CPU
};

struct RankedHit {
  index::Hit hit;                    // rerank_score is the one by transport where there is a structural score
  std::optional<double> structural;  // where it was matched
};

struct RerankOutcome {
  std::vector<RankedHit> hits;  // best first
  int requested = 0;
  int completed = 0;
  std::vector<std::string> degraded_reasons;
};

absl::StatusOr<RerankOutcome> Rerank(const RerankJob& job, std::vector<index::Hit> hits);

// When re-ranking and evidence have to end, so that the rest of the answer, `rest` of work known beforehand, is ready
// before the request's deadline.
base::Clock::Ticks EndOfExtras(const Request& request, absl::Duration rest);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_RERANK_H_
