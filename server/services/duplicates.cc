#include "server/services/duplicates.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/duplicates.h"
#include "server/services/confidence.h"
#include "server/services/field_checks.h"
#include "server/services/rerank_choice.h"

namespace sightline::server {
namespace {

constexpr int kDefaultDuplicateNeighbours = 10;
constexpr int kMaxDuplicateNeighbours = 100;
constexpr double kDefaultMinConfidence = 0.9;
constexpr double kDefaultMinScore = 0.9;
constexpr double kDefaultMinStructural = 0.8;
// An operation's result is kept in one file and sent in one message.
constexpr size_t kMaxListedGroups = 10'000;
constexpr size_t kMaxListedIds = 50'000;
constexpr size_t kMaxListedPairs = 1'000;  // of one group

bool ByScores(const v1::FindDuplicatesRequest& message) {
  return message.has_min_score() || message.has_min_structural_score();
}

v1::FindDuplicatesResult ToResult(const index::Duplicates& found,
                                  const std::optional<index::FittedConfidence>& confidence) {
  v1::FindDuplicatesResult result;
  result.set_images(found.images);
  result.set_verified_pairs(found.verified_pairs);
  result.set_total_groups(static_cast<int64_t>(found.groups.size()));
  size_t ids = 0;
  for (const index::DuplicateGroup& group : found.groups) {
    ids += group.ids.size();
    if (static_cast<size_t>(result.groups_size()) == kMaxListedGroups || ids > kMaxListedIds) break;
    auto* listed = result.add_groups();
    listed->mutable_ids()->Add(group.ids.begin(), group.ids.end());
    double least = 1;
    for (const index::AlikePair& pair : group.pairs) {
      const std::optional<double> sure =
          confidence ? std::optional(confidence->fit.model.Confidence(pair.score, pair.structural)) : std::nullopt;
      least = std::min(least, sure.value_or(0));
      if (static_cast<size_t>(listed->pairs_size()) == kMaxListedPairs) continue;
      auto* out = listed->add_pairs();
      out->set_first_id(pair.first);
      out->set_second_id(pair.second);
      out->set_score(pair.score);
      if (pair.structural) out->set_structural_score(*pair.structural);
      if (sure) out->set_confidence(*sure);
    }
    listed->set_min_confidence(least);
  }
  return result;
}

}  // namespace

absl::Status CheckFindDuplicates(const v1::FindDuplicatesRequest& message, const index::Collection& collection) {
  SIGHTLINE_RETURN_IF_ERROR(CheckRange("neighbours", message.neighbours(), 0, kMaxDuplicateNeighbours));
  if (message.has_min_score()) SIGHTLINE_RETURN_IF_ERROR(CheckNumber("min_score", message.min_score(), -1, 1));
  if (message.has_min_structural_score()) {
    SIGHTLINE_RETURN_IF_ERROR(CheckNumber("min_structural_score", message.min_structural_score(), -1, 1));
  }
  if (!message.has_min_confidence()) return absl::OkStatus();
  SIGHTLINE_RETURN_IF_ERROR(CheckNumber("min_confidence", message.min_confidence(), 0, 1));
  if (ByScores(message)) {
    return base::InvalidArgument("CONFIDENCE_AND_SCORES",
                                 "both `min_confidence` and `min_score` or `min_structural_score` are set. Judge pairs "
                                 "by the one or by the others.",
                                 {{"field", "min_confidence"}});
  }
  return collection.Confidence() ? absl::OkStatus() : ConfidenceNotFitted(collection.config().name);
}

Operations::MakeWork MakeFindDuplicates(const index::Database& database, const ModelHub& models) {
  return [&](const std::string& name, const google::protobuf::Any& request) -> Operations::Work {
    return [&database, &models, name,
            request](const index::Progress& progress) -> absl::StatusOr<google::protobuf::Any> {
      v1::FindDuplicatesRequest message;
      if (!request.UnpackTo(&message)) {
        return base::Error(absl::StatusCode::kInternal, "REQUEST_LOST",
                           "the request of the operation cannot be read any more. Start it again.");
      }
      SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, database.Find(name));
      SIGHTLINE_RETURN_IF_ERROR(CheckFindDuplicates(message, *collection));
      const std::optional<index::FittedConfidence> confidence = collection->Confidence();
      index::DuplicateOptions options;
      options.filter = message.filter();
      options.neighbours = message.neighbours() == 0 ? kDefaultDuplicateNeighbours : message.neighbours();
      if (confidence && !ByScores(message)) {
        const double least = message.has_min_confidence() ? message.min_confidence() : kDefaultMinConfidence;
        options.transport = confidence->transport;
        options.alike = [model = confidence->fit.model, least](double score, std::optional<double> structural) {
          return model.Confidence(score, structural) >= least;
        };
      } else {
        const double least = message.has_min_score() ? message.min_score() : kDefaultMinScore;
        const double least_structural =
            message.has_min_structural_score() ? message.min_structural_score() : kDefaultMinStructural;
        options.transport = TransportOf(collection->config(), {}, models);
        options.alike = [least, least_structural](double score, std::optional<double> structural) {
          return score >= least && structural.value_or(least_structural) >= least_structural;
        };
      }
      SIGHTLINE_ASSIGN_OR_RETURN(const index::Duplicates found, index::FindDuplicates(*collection, options, progress));
      return Packed(ToResult(found, confidence));
    };
  };
}

}  // namespace sightline::server
