// Whether a SearchRequest can be answered at all, checked before any work is done for it.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT with field, limit and actual value; UNIMPLEMENTED for options of
// the API that this version does not offer.
#ifndef SIGHTLINE_SERVER_SERVICES_SEARCH_REQUEST_H_
#define SIGHTLINE_SERVER_SERVICES_SEARCH_REQUEST_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "index/collection.h"
#include "server/limits.h"
#include "sightline/v1/search_service.pb.h"

namespace sightline::server {

inline constexpr int kDefaultTopK = 10;

absl::Status ValidateSearch(const v1::SearchRequest& message, const Limits& limits);

// How the search is refined; part of what ValidateSearch checks.
absl::StatusOr<index::Refinement> ReadRefinement(const v1::QueryExpansion& expansion);

// Whether a vector of the caller's may be compared with those of the collection.
absl::Status ValidateVector(const v1::EmbeddingVector& vector, const index::CollectionConfig& config);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_SEARCH_REQUEST_H_
