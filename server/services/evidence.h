// EvidenceMaker: why a result matches a query, from the plan of transport between their patches.
//
// Threading: read-only once made; any thread. Ownership: `query` must outlive it. Failure: what the transport refuses.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const EvidenceMaker maker, EvidenceMaker::Make(query, choice, message.options()));
//   SIGHTLINE_RETURN_IF_ERROR(maker.Explain({.tokens = &tokens, .region = region, .score = 0.8}, &evidence));
#ifndef SIGHTLINE_SERVER_SERVICES_EVIDENCE_H_
#define SIGHTLINE_SERVER_SERVICES_EVIDENCE_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "index/rerank/transport.h"
#include "model/image/geometry.h"
#include "server/services/query_tokens.h"
#include "server/services/rerank_choice.h"
#include "sightline/v1/search_service.pb.h"

namespace sightline::server {

// The other side of a match.
struct EvidenceResult {
  const index::PatchTokens* tokens = nullptr;
  image::CropBox region;  // what the grid covers, as fractions of the whole image
  double score = 0;       // the cosine of the descriptors
};

class EvidenceMaker {
 public:
  static absl::StatusOr<EvidenceMaker> Make(absl::Span<const QueryTokens> query, const RerankChoice& choice,
                                            const v1::ExplainOptions& options);

  // About the part of the query that contributes most.
  absl::Status Explain(const EvidenceResult& result, v1::Evidence* out) const;

  // Pairs of patches that a plan for these tokens has: what its cost grows with.
  int64_t PairsWith(const index::PatchTokens& tokens) const;

 private:
  EvidenceMaker(absl::Span<const QueryTokens> query, double weight, const v1::ExplainOptions& options,
                std::vector<index::rerank::TransportQuery> transports)
      : query_(query), weight_(weight), options_(options), transports_(std::move(transports)) {}

  absl::StatusOr<size_t> StrongestPart(const index::rerank::Patches& result) const;

  absl::Span<const QueryTokens> query_;
  double weight_;
  v1::ExplainOptions options_;
  std::vector<index::rerank::TransportQuery> transports_;  // one per part or crop
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_EVIDENCE_H_
