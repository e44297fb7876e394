// The best results of a search, ordered anew by their patches: score = cosine + weight * S_struct (METHODS.md 3.5).
//
// Results are scored in the order in which they come, in portions of a few milliseconds on several threads. A result
// that cannot come among the best `keep` any more is left out of the transport. When time runs out, what is scored is
// ordered, and the rest stands behind it in its old order.
//
// Leaving out never changes the order of the best `keep`, ties included: a result is left out when an upper bound of
// its score (TransportQuery::UpperBounds, after the much cheaper S_struct <= 1) is below that of `keep` others. Which
// ones are left out besides may differ from call to call, since the portions follow the clock.
//
// With a device the transport is its, in portions that are large enough for it; what is left out is only what a perfect
// match could not bring up, since bounds would cost the CPU more than scores cost the device. What the device leaves to
// the CPU comes last; when the device fails, the CPU goes on as without one.
//
// StopRule::kReference lets the scores depend on each other. All are then scored in one call, on the calling thread,
// and the time is looked at only before it.
//
// Threading: RerankShortlist may be called from any thread; it takes help from `pool` and never waits for a queue.
// Ownership: tokens are looked at during the call only. Failure: INVALID_ARGUMENT as TransportQuery and for no query,
// weights or scores that are not finite, query weights that are all 0, and a negative `keep`; CANCELLED.
//
//   ShortlistOptions options;
//   options.keep = 10;
//   SIGHTLINE_ASSIGN_OR_RETURN(const ShortlistResult result, RerankShortlist(query, candidates, options));
#ifndef SIGHTLINE_INDEX_RERANK_SHORTLIST_H_
#define SIGHTLINE_INDEX_RERANK_SHORTLIST_H_

#include <functional>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/thread_pool.h"
#include "index/rerank/transport.h"
#include "index/rerank/transport_device.h"

namespace sightline::index::rerank {

// Tokens of one part of the query (a crop, an image), and how much they count: S_struct is the mean over the parts,
// sum of weight * S_struct / sum of |weight|.
struct QueryPatches {
  Patches patches;
  double weight = 1;
};

struct Candidate {
  double score = 0;                     // the cosine
  const PatchTokens* tokens = nullptr;  // null where it has none: it is not scored, and stands behind those that are
};

struct ShortlistOptions {
  TransportOptions transport;
  double weight = 1;  // of S_struct; finite, at least 0
  // The order of the best so many is wanted; the others may stay unscored where they cannot be among them. 0: all.
  int keep = 0;
  std::function<bool()> out_of_time;  // asked before every portion; may be null
  std::function<bool()> cancelled;    // likewise
  base::ThreadPool* pool = nullptr;   // null: the calling thread alone
  TransportDevice* device = nullptr;  // null: the CPU
};

struct ShortlistResult {
  // Of candidates: order[0] is the best one's place before. Those with a structural score first, ties in their old
  // order; then those left out, then those not reached and those without tokens, each in their old order.
  std::vector<int> order;
  std::vector<std::optional<double>> structural;  // by candidate; nullopt where it was not scored
  int scored = 0;                                 // by transport, or known not to come among the best `keep`
  int without_tokens = 0;
  bool ran_out_of_time = false;
};

absl::StatusOr<ShortlistResult> RerankShortlist(absl::Span<const QueryPatches> query,
                                                absl::Span<const Candidate> candidates,
                                                const ShortlistOptions& options);

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_SHORTLIST_H_
