// QueryParts: what the parts of a query come to: one descriptor, q = sum of weight_i * descriptor_i, and the patch
// tokens of every image and crop among them.
//
// Threading: one thread at a time. Ownership: `query` must outlive it. Failure: INVALID_ARGUMENT and
// FAILED_PRECONDITION, as query_tokens.h and ValidateVector say.
//
//   QueryParts parts(message.query(), config);
//   SIGHTLINE_RETURN_IF_ERROR(parts.AddDescriptor(0, limits));
//   SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<float> descriptor, parts.Descriptor());
#ifndef SIGHTLINE_SERVER_SERVICES_QUERY_PARTS_H_
#define SIGHTLINE_SERVER_SERVICES_QUERY_PARTS_H_

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "index/collection.h"
#include "server/model_hub.h"
#include "server/services/query_tokens.h"
#include "sightline/v1/search_service.pb.h"

namespace sightline::server {

class QueryParts {
 public:
  QueryParts(const v1::Query& query, index::CollectionConfig config)
      : query_(query), config_(std::move(config)), sum_(static_cast<size_t>(config_.descriptor_dim), 0.0) {}

  // A part that is a descriptor of the caller's, perhaps with tokens.
  absl::Status AddDescriptor(int part, const index::RecordLimits& limits);

  // A part that is an image, embedded by `model`, each of its crops on its own. Tokens of another space than the
  // collection's are left out.
  void AddEmbedded(int part, const ServedModel& model, EmbedResult result);

  // A part that is an image of the collection. `model`, which may be null, is the one that embedded it.
  void AddStored(int part, const model::Model* model, index::Record record);

  // Once all parts are there: the weighted sum.
  absl::StatusOr<std::vector<float>> Descriptor() const;

  // Once all parts are there: their tokens, by part and crop, all of one dimension.
  absl::StatusOr<absl::Span<const QueryTokens>> Tokens();

 private:
  double WeightOf(int part) const {
    return query_.parts(part).has_weight() ? static_cast<double>(query_.parts(part).weight()) : 1.0;
  }
  void AddVector(absl::Span<const float> values, double weight);

  const v1::Query& query_;
  const index::CollectionConfig config_;
  std::vector<double> sum_;
  std::vector<QueryTokens> tokens_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_QUERY_PARTS_H_
