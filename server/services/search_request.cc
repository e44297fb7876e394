#include "server/services/search_request.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/services/field_checks.h"
#include "server/services/service_context.h"

namespace sightline::server {
namespace {

absl::Status OutOfRange(absl::string_view field, int64_t actual, int64_t low, int64_t high) {
  return base::InvalidArgument(
      "VALUE_OUT_OF_RANGE", absl::StrCat(field, " is ", actual, "; it must be ", low, " to ", high, ". Correct it."),
      {{"field", std::string(field)}, {"actual", absl::StrCat(actual)}, {"limit", absl::StrCat(high)}});
}

absl::Status NotFinite(absl::string_view field) {
  return base::InvalidArgument("VALUE_NOT_FINITE",
                               absl::StrCat(field, " is not a finite number. Send a number, or leave the field out."),
                               {{"field", std::string(field)}});
}

absl::Status ValidatePart(const v1::QueryPart& part, int i, const Limits& limits) {
  const std::string field = absl::StrCat("query.parts[", i, "]");
  if (part.source_case() == v1::QueryPart::SOURCE_NOT_SET) {
    return base::InvalidArgument("QUERY_PART_EMPTY",
                                 absl::StrCat(field, " has no image, id or descriptor. Set one of them."),
                                 {{"field", field}});
  }
  if (part.has_weight() && (!std::isfinite(part.weight()) || part.weight() == 0)) {
    return base::InvalidArgument(
        "WEIGHT_INVALID",
        absl::StrCat(field, ".weight is ", part.weight(), "; it must be finite and not 0. Correct it."),
        {{"field", absl::StrCat(field, ".weight")}, {"actual", absl::StrCat(part.weight())}});
  }
  if (!part.crops().empty() && part.source_case() != v1::QueryPart::kImage) {
    return base::InvalidArgument(
        "CROP_WITHOUT_IMAGE",
        absl::StrCat(field, " has a crop box but no image. Send the image itself, or leave the box out."),
        {{"field", absl::StrCat(field, ".crops")}});
  }
  if (part.crops_size() > limits.max_crops) {
    return OutOfRange(absl::StrCat("the number of ", field, ".crops"), part.crops_size(), 0, limits.max_crops);
  }
  return absl::OkStatus();
}

absl::Status ValidateOffered(const v1::SearchRequest& message) {
  if (!message.filter().empty()) {
    return NotOffered("a filter", "Leave `filter` empty and filter the results by their attributes.");
  }
  if (message.has_min_confidence()) {
    return NotOffered("min_confidence", "Use `min_score`, which acts on the cosine.");
  }
  if (!message.group_by().empty() || message.group_size() != 0) {
    return NotOffered("group_by", "Leave it out and group the results by their attributes.");
  }
  if (message.rerank().method() == v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT) {
    return NotOffered("re-ranking", "Leave `rerank` out, or set its method to METHOD_OFF.");
  }
  if (message.expansion().method() > v1::QueryExpansion::METHOD_OFF) {
    return NotOffered("query expansion", "Leave `expansion` out, or set its method to METHOD_OFF.");
  }
  if (message.explain().enabled()) return NotOffered("evidence", "Leave `explain` out.");
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateSearch(const v1::SearchRequest& message, const Limits& limits) {
  SIGHTLINE_RETURN_IF_ERROR(Required("collection", message.collection(), "Name the collection to search."));
  if (message.query().parts().empty()) {
    return base::InvalidArgument("QUERY_MISSING", "the query has no parts. Add an image, an id or a descriptor.",
                                 {{"field", "query.parts"}});
  }
  if (message.query().parts_size() > limits.max_query_parts) {
    return OutOfRange("the number of query.parts", message.query().parts_size(), 1, limits.max_query_parts);
  }
  for (int i = 0; i < message.query().parts_size(); ++i) {
    SIGHTLINE_RETURN_IF_ERROR(ValidatePart(message.query().parts(i), i, limits));
  }
  if (message.top_k() < 0 || message.top_k() > limits.max_top_k) {
    return OutOfRange("top_k", message.top_k(), 0, limits.max_top_k);
  }
  const int64_t top_k = message.top_k() == 0 ? kDefaultTopK : message.top_k();
  if (message.offset() < 0 || message.offset() + top_k > limits.max_result_window) {
    return OutOfRange("offset", message.offset(), 0, limits.max_result_window - top_k);
  }
  if (message.has_min_score() && !std::isfinite(message.min_score())) return NotFinite("min_score");
  if (message.has_ef_search() && message.ef_search() < 1)
    return OutOfRange("ef_search", message.ef_search(), 1, 10'000);
  if (message.has_nprobe() && message.nprobe() < 1) return OutOfRange("nprobe", message.nprobe(), 1, 1 << 20);
  if (static_cast<int>(message.request_id().size()) > limits.record.max_request_id_bytes) {
    return OutOfRange("the length of request_id", static_cast<int64_t>(message.request_id().size()), 0,
                      limits.record.max_request_id_bytes);
  }
  return ValidateOffered(message);
}

absl::Status ValidateVector(const v1::EmbeddingVector& vector, const index::CollectionConfig& config) {
  if (vector.embedding_space() != config.embedding_space) {
    return base::FailedPrecondition(
        "EMBEDDING_SPACE_MISMATCH",
        absl::StrCat("the descriptor belongs to embedding space '", vector.embedding_space(), "', the collection '",
                     config.name, "' to '", config.embedding_space,
                     "'. Embed with the collection's model, or set the vector's embedding_space if it was left out."),
        {{"actual", vector.embedding_space()}, {"limit", config.embedding_space}});
  }
  if (vector.values_size() != config.descriptor_dim) {
    return base::InvalidArgument(
        "DESCRIPTOR_DIM_MISMATCH",
        absl::StrCat("the descriptor has ", vector.values_size(), " values; the collection '", config.name, "' takes ",
                     config.descriptor_dim, ". Embed with the collection's model."),
        {{"actual", absl::StrCat(vector.values_size())}, {"limit", absl::StrCat(config.descriptor_dim)}});
  }
  double norm = 0;
  for (const float value : vector.values()) norm += static_cast<double>(value) * value;
  if (!std::isfinite(norm) || norm < 1e-24) {
    return base::InvalidArgument(
        "DESCRIPTOR_INVALID",
        absl::StrCat("the descriptor's norm is ", std::sqrt(norm),
                     "; it must be finite and above 0. Check the program that made it for NaN, infinities and zeros."),
        {{"actual", absl::StrCat(std::sqrt(norm))}});
  }
  return absl::OkStatus();
}

}  // namespace sightline::server
