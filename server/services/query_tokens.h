// QueryTokens: the patch tokens of one image, or crop of one, that a query is made of.
//
// Threading: pure functions and values. Failure: FAILED_PRECONDITION for tokens of another space than the collection's,
// INVALID_ARGUMENT for malformed ones.
#ifndef SIGHTLINE_SERVER_SERVICES_QUERY_TOKENS_H_
#define SIGHTLINE_SERVER_SERVICES_QUERY_TOKENS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "index/collection.h"
#include "index/rerank/shortlist.h"
#include "model/image/geometry.h"
#include "sightline/v1/embedding.pb.h"

namespace sightline::server {

struct QueryTokens {
  index::PatchTokens tokens;
  double weight = 1;           // as that of its descriptor
  int part = 0;                // of the query, from 0
  int crop = 0;                // of the part, from 0
  image::CropBox region = {};  // what the grid covers, as fractions of the whole image
};

// Tokens of the caller's own, for a collection that they may be matched with.
absl::StatusOr<index::PatchTokens> ReadQueryTokens(const std::string& field, const v1::PatchTokens& tokens,
                                                   const index::CollectionConfig& config,
                                                   const index::RecordLimits& limits);

// Tokens of `token_space` are not those of the collection: the sentences that say so.
absl::Status TokenSpaceMismatch(const std::string& whose, const std::string& token_space,
                                const index::CollectionConfig& config);

// The same tokens as the re-ranker takes them; valid as long as `tokens`.
std::vector<index::rerank::QueryPatches> PatchesOf(absl::Span<const QueryTokens> tokens);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_QUERY_TOKENS_H_
