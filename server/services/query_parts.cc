#include "server/services/query_parts.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/convert.h"
#include "server/services/regions.h"
#include "server/services/search_request.h"

namespace sightline::server {

void QueryParts::AddVector(absl::Span<const float> values, double weight) {
  double norm = 0;
  for (const float value : values) norm += static_cast<double>(value) * value;
  const double scale = weight / std::sqrt(norm);
  for (size_t i = 0; i < sum_.size(); ++i) sum_[i] += scale * values[i];
}

absl::Status QueryParts::AddDescriptor(int part, const index::RecordLimits& limits) {
  const v1::QueryPart& message = query_.parts(part);
  SIGHTLINE_RETURN_IF_ERROR(ValidateVector(message.global_descriptor(), config_));
  AddVector(message.global_descriptor().values(), WeightOf(part));
  if (!message.has_tokens()) return absl::OkStatus();
  SIGHTLINE_ASSIGN_OR_RETURN(index::PatchTokens tokens, ReadQueryTokens(absl::StrCat("query.parts[", part, "]"),
                                                                        message.tokens(), config_, limits));
  tokens_.push_back({.tokens = std::move(tokens), .weight = WeightOf(part), .part = part});
  return absl::OkStatus();
}

void QueryParts::AddEmbedded(int part, const ServedModel& model, EmbedResult result) {
  const v1::QueryPart& message = query_.parts(part);
  const double weight = WeightOf(part) / static_cast<double>(result.embeddings.size());
  const bool comparable = model.info().token_space == config_.token_space;
  for (int crop = 0; crop < static_cast<int>(result.embeddings.size()); ++crop) {
    model::Embedding& embedding = result.embeddings[static_cast<size_t>(crop)];
    AddVector(embedding.descriptor, weight);
    if (!comparable || embedding.tokens.height < 1) continue;
    std::optional<image::CropBox> box;
    if (!message.crops().empty()) box = FromProto(message.crops(crop));
    tokens_.push_back({.tokens = FromModel(std::move(embedding.tokens)),
                       .weight = weight,
                       .part = part,
                       .crop = crop,
                       .region = SeenRegion(&model.model(), result.width, result.height, box)});
  }
}

void QueryParts::AddStored(int part, const model::Model* model, index::Record record) {
  AddVector(record.descriptor, WeightOf(part));
  if (!record.tokens) return;
  const image::CropBox region = SeenRegion(model, record);
  tokens_.push_back({.tokens = *std::move(record.tokens), .weight = WeightOf(part), .part = part, .region = region});
}

absl::StatusOr<std::vector<float>> QueryParts::Descriptor() const {
  double norm = 0;
  for (const double value : sum_) norm += value * value;
  if (norm < 1e-12) {
    return base::InvalidArgument("QUERY_CANCELS_OUT",
                                 "the weighted parts of the query add up to nothing. Change their weights.",
                                 {{"field", "query.parts"}});
  }
  return std::vector<float>(sum_.begin(), sum_.end());
}

absl::StatusOr<absl::Span<const QueryTokens>> QueryParts::Tokens() {
  std::sort(tokens_.begin(), tokens_.end(), [](const QueryTokens& a, const QueryTokens& b) {
    return std::pair(a.part, a.crop) < std::pair(b.part, b.crop);
  });
  for (const QueryTokens& one : tokens_) {
    const int dim = tokens_.front().tokens.dim;
    if (one.tokens.dim == dim) continue;
    return base::InvalidArgument(
        "TOKEN_DIM_MISMATCH",
        absl::StrCat("the patch tokens of query.parts[", one.part, "] have ", one.tokens.dim,
                     " values each, those of query.parts[", tokens_.front().part, "] ", dim,
                     ". Send tokens of one model."),
        {{"field", absl::StrCat("query.parts[", one.part, "].tokens")}, {"actual", absl::StrCat(one.tokens.dim)}});
  }
  return absl::MakeConstSpan(tokens_);
}

}  // namespace sightline::server
