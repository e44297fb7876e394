#include "server/services/query_tokens.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/convert.h"

namespace sightline::server {

absl::Status TokenSpaceMismatch(const std::string& whose, const std::string& token_space,
                                const index::CollectionConfig& config) {
  return base::FailedPrecondition(
      "TOKEN_SPACE_MISMATCH",
      absl::StrCat(whose, " belong to token space '", token_space, "', the collection '", config.name, "' ",
                   config.token_space.empty() ? "keeps none" : absl::StrCat("to '", config.token_space, "'"),
                   ". Search without re-ranking, or embed the collection again with the model that makes the tokens."),
      {{"actual", token_space}, {"limit", config.token_space}});
}

absl::StatusOr<index::PatchTokens> ReadQueryTokens(const std::string& field, const v1::PatchTokens& tokens,
                                                   const index::CollectionConfig& config,
                                                   const index::RecordLimits& limits) {
  if (tokens.token_space() != config.token_space || config.token_space.empty()) {
    return TokenSpaceMismatch(absl::StrCat("the patch tokens of ", field), tokens.token_space(), config);
  }
  index::Record record;
  SIGHTLINE_ASSIGN_OR_RETURN(record.tokens, FromProto(tokens));
  SIGHTLINE_RETURN_IF_ERROR(index::ValidateRecord(record, limits, /*allow_empty_id=*/true));
  return *std::move(record.tokens);
}

std::vector<index::rerank::QueryPatches> PatchesOf(absl::Span<const QueryTokens> tokens) {
  std::vector<index::rerank::QueryPatches> patches;
  patches.reserve(tokens.size());
  for (const QueryTokens& one : tokens) patches.push_back({{.tokens = &one.tokens}, one.weight});
  return patches;
}

}  // namespace sightline::server
