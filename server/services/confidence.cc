#include "server/services/confidence.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "index/pair_scores.h"
#include "index/rerank/confidence.h"
#include "server/convert.h"
#include "server/services/field_checks.h"
#include "server/services/rerank_choice.h"

namespace sightline::server {
namespace {

constexpr int kMaxFitPairs = 100'000;

absl::Status CheckPairs(const v1::FitConfidenceRequest& message) {
  int same = 0;
  for (int i = 0; i < message.pairs_size(); ++i) {
    const auto& pair = message.pairs(i);
    const std::string field = absl::StrCat("pairs[", i, "]");
    SIGHTLINE_RETURN_IF_ERROR(Required(absl::StrCat(field, ".first_id"), pair.first_id(), "Name two indexed images."));
    SIGHTLINE_RETURN_IF_ERROR(
        Required(absl::StrCat(field, ".second_id"), pair.second_id(), "Name two indexed images."));
    if (pair.first_id() == pair.second_id()) {
      return base::InvalidArgument("PAIR_OF_ONE",
                                   absl::StrCat("`", field, "` names the same image twice. Leave the pair out."),
                                   {{"field", field}});
    }
    same += pair.same() ? 1 : 0;
  }
  const int other = message.pairs_size() - same;
  const int least = index::rerank::kLeastConfidencePairs;
  if (same >= least && other >= least) return absl::OkStatus();
  return base::InvalidArgument(
      "TOO_FEW_PAIRS",
      absl::StrCat("`pairs` has ", same, " pairs of the same object and ", other, " of different ones; a fit needs ",
                   least, " of each. Label more pairs."),
      {{"field", "pairs"}, {"actual", absl::StrCat(std::min(same, other))}, {"limit", absl::StrCat(least)}});
}

}  // namespace

absl::Status CheckFitConfidence(const v1::FitConfidenceRequest& message, const Limits& limits) {
  SIGHTLINE_RETURN_IF_ERROR(ValidateRerank(message.rerank(), limits.record));
  if (message.pairs().empty() == message.label_attribute().empty()) {
    return base::InvalidArgument(
        "PAIRS_OR_LABEL",
        message.pairs().empty()
            ? "neither `pairs` nor `label_attribute` is set. Send labelled pairs, or name the attribute that tells "
              "objects apart."
            : "both `pairs` and `label_attribute` are set. Set one of them.",
        {{"field", "pairs"}});
  }
  if (!message.label_attribute().empty()) {
    return CheckAttributeKey("label_attribute", message.label_attribute(), limits.record);
  }
  SIGHTLINE_RETURN_IF_ERROR(CheckRange("pairs", message.pairs_size(), 0, kMaxFitPairs));
  return CheckPairs(message);
}

Operations::Work FitConfidenceWork(const index::Database& database, const ModelHub& models, const std::string& name,
                                   v1::FitConfidenceRequest message) {
  return [&database, &models, name,
          message = std::move(message)](const index::Progress& progress) -> absl::StatusOr<google::protobuf::Any> {
    SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, database.Find(name));
    index::FittedConfidence confidence;
    confidence.transport = TransportOf(collection->config(), message.rerank(), models);
    std::vector<index::IdPair> pairs;
    for (const auto& pair : message.pairs()) pairs.push_back({pair.first_id(), pair.second_id(), pair.same()});
    if (pairs.empty()) {
      SIGHTLINE_ASSIGN_OR_RETURN(pairs, index::DrawPairs(*collection, message.label_attribute(), {}, progress));
    }
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<index::rerank::LabelledPair> scored,
                               index::ScorePairs(*collection, std::move(pairs), confidence.transport, progress));
    SIGHTLINE_ASSIGN_OR_RETURN(confidence.fit, index::rerank::FitConfidence(scored));
    confidence.fit_time = absl::Now();
    SIGHTLINE_RETURN_IF_ERROR(collection->SetConfidence(confidence));
    v1::ConfidenceModel result;
    ToProto(confidence, &result);
    return Packed(result);
  };
}

index::rerank::TransportOptions TransportOf(const index::CollectionConfig& config, const v1::RerankOptions& options,
                                            const ModelHub& models) {
  const absl::StatusOr<ModelPtr> model = config.model.empty() ? absl::NotFoundError("") : models.Find(config.model);
  return ChooseRerank(options, model.ok() ? &(*model)->info() : nullptr).transport;
}

double ConfidenceOf(const index::FittedConfidence& confidence, double score, std::optional<double> structural,
                    const index::rerank::TransportOptions& transport) {
  if (!(transport == confidence.transport)) structural.reset();
  return confidence.fit.model.Confidence(score, structural);
}

void SetConfidence(const index::FittedConfidence& confidence, const index::rerank::TransportOptions& transport,
                   v1::Evidence* evidence) {
  evidence->set_confidence(ConfidenceOf(confidence, evidence->score(), evidence->structural_score(), transport));
}

absl::Status ConfidenceNotFitted(const std::string& collection) {
  return base::FailedPrecondition("CONFIDENCE_NOT_FITTED",
                                  absl::StrCat("collection ", collection,
                                               " has no confidence: nobody has said what the same object is. Fit it "
                                               "with FitConfidence, or use min_score."),
                                  {{"collection", collection}});
}

}  // namespace sightline::server
