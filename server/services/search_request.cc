#include "server/services/search_request.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/services/field_checks.h"
#include "server/services/rerank_choice.h"
#include "server/services/service_context.h"

namespace sightline::server {
namespace {

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
  if (part.has_tokens() && part.source_case() != v1::QueryPart::kGlobalDescriptor) {
    return base::InvalidArgument(
        "TOKENS_WITHOUT_DESCRIPTOR",
        absl::StrCat(field, " has patch tokens but no descriptor; those of an image or an id are found by the server. ",
                     "Leave them out, or send the descriptor they belong to."),
        {{"field", absl::StrCat(field, ".tokens")}});
  }
  return CheckRange(absl::StrCat("the number of ", field, ".crops"), part.crops_size(), 0, limits.max_crops);
}

absl::Status ValidateGroups(const v1::SearchRequest& message, const Limits& limits) {
  SIGHTLINE_RETURN_IF_ERROR(CheckRange("group_size", message.group_size(), 0, limits.max_top_k));
  if (!message.group_by().empty()) return CheckAttributeKey("group_by", message.group_by(), limits.record);
  if (message.group_size() == 0) return absl::OkStatus();
  return Required("group_by", "", "Name the attribute to group by, or leave `group_size` out.");
}

}  // namespace

absl::Status ValidateSearch(const v1::SearchRequest& message, const Limits& limits) {
  SIGHTLINE_RETURN_IF_ERROR(Required("collection", message.collection(), "Name the collection to search."));
  if (message.query().parts().empty()) {
    return base::InvalidArgument("QUERY_MISSING", "the query has no parts. Add an image, an id or a descriptor.",
                                 {{"field", "query.parts"}});
  }
  SIGHTLINE_RETURN_IF_ERROR(
      CheckRange("the number of query.parts", message.query().parts_size(), 1, limits.max_query_parts));
  for (int i = 0; i < message.query().parts_size(); ++i) {
    SIGHTLINE_RETURN_IF_ERROR(ValidatePart(message.query().parts(i), i, limits));
  }
  SIGHTLINE_RETURN_IF_ERROR(CheckRange("top_k", message.top_k(), 0, limits.max_top_k));
  const int64_t top_k = message.top_k() == 0 ? kDefaultTopK : message.top_k();
  SIGHTLINE_RETURN_IF_ERROR(CheckRange("offset", message.offset(), 0, limits.max_result_window - top_k));
  if (message.has_min_score()) SIGHTLINE_RETURN_IF_ERROR(CheckFinite("min_score", message.min_score()));
  SIGHTLINE_RETURN_IF_ERROR(ValidateGroups(message, limits));
  if (message.has_ef_search()) SIGHTLINE_RETURN_IF_ERROR(CheckRange("ef_search", message.ef_search(), 1, 10'000));
  if (message.has_nprobe()) SIGHTLINE_RETURN_IF_ERROR(CheckRange("nprobe", message.nprobe(), 1, 65'536));
  SIGHTLINE_RETURN_IF_ERROR(ReadRefinement(message.expansion()).status());
  SIGHTLINE_RETURN_IF_ERROR(CheckRange("the length of request_id", static_cast<int64_t>(message.request_id().size()), 0,
                                       limits.record.max_request_id_bytes));
  SIGHTLINE_RETURN_IF_ERROR(ValidateRerank(message.rerank(), limits.record));
  SIGHTLINE_RETURN_IF_ERROR(ValidateExplain("explain", message.explain()));
  if (message.has_min_confidence()) {
    SIGHTLINE_RETURN_IF_ERROR(CheckNumber("min_confidence", message.min_confidence(), 0, 1));
  }
  return absl::OkStatus();
}

absl::StatusOr<index::Refinement> ReadRefinement(const v1::QueryExpansion& expansion) {
  using Method = index::Refinement::Method;
  index::Refinement refinement;
  switch (expansion.method()) {
    case v1::QueryExpansion::METHOD_UNSPECIFIED:
    case v1::QueryExpansion::METHOD_OFF: refinement.method = Method::kOff; break;
    case v1::QueryExpansion::METHOD_AVERAGE: refinement.method = Method::kAverage; break;
    case v1::QueryExpansion::METHOD_ALPHA_WEIGHTED: refinement.method = Method::kAlphaWeighted; break;
    case v1::QueryExpansion::METHOD_SUPER_GLOBAL: refinement.method = Method::kSuperGlobal; break;
    case v1::QueryExpansion::METHOD_K_RECIPROCAL: refinement.method = Method::kReciprocal; break;
    default: return UnknownEnum("expansion.method", expansion.method());
  }
  SIGHTLINE_RETURN_IF_ERROR(CheckRange("expansion.neighbours", expansion.neighbours(), 0, kMaxNeighbours));
  refinement.neighbours = expansion.neighbours();
  if (expansion.has_alpha()) {
    SIGHTLINE_RETURN_IF_ERROR(CheckAlpha("expansion.alpha", expansion.alpha()));
    refinement.alpha = expansion.alpha();
  }
  return refinement;
}

// Of a descriptor: below it, rounding decides where it points.
constexpr double kLeastNorm = 1e-12;

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
  if (!std::isfinite(norm) || norm < kLeastNorm * kLeastNorm) {
    return base::InvalidArgument(
        "DESCRIPTOR_INVALID",
        absl::StrCat("the descriptor's norm is ", std::sqrt(norm), "; it must be finite and at least ", kLeastNorm,
                     ". Check the program that made it for NaN, infinities and zeros."),
        {{"actual", absl::StrCat(std::sqrt(norm))}, {"limit", absl::StrCat(kLeastNorm)}});
  }
  return absl::OkStatus();
}

}  // namespace sightline::server
