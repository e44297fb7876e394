#include "server/services/evidence.h"

#include <algorithm>

#include "base/status.h"
#include "index/rerank/evidence.h"
#include "index/rerank/patch_set.h"
#include "server/services/regions.h"

namespace sightline::server {
namespace {

namespace rerank = index::rerank;

void PutHeat(absl::Span<const double> heat, const index::PatchTokens& tokens, const image::CropBox& region,
             v1::HeatMap* out) {
  // The region is its own only cell.
  PutCell(region, 1, 1, 0, out->mutable_region());
  out->set_height(tokens.height);
  out->set_width(tokens.width);
  out->mutable_values()->Reserve(static_cast<int>(heat.size()));
  for (const double value : heat) out->add_values(static_cast<float>(value));
}

}  // namespace

absl::StatusOr<EvidenceMaker> EvidenceMaker::Make(absl::Span<const QueryTokens> query, const RerankChoice& choice,
                                                  const v1::ExplainOptions& options) {
  std::vector<rerank::TransportQuery> transports;
  for (const QueryTokens& part : query) {
    SIGHTLINE_ASSIGN_OR_RETURN(rerank::TransportQuery transport,
                               rerank::TransportQuery::Make({.tokens = &part.tokens}, choice.transport));
    transports.push_back(std::move(transport));
  }
  return EvidenceMaker(query, choice.weight, options, std::move(transports));
}

int64_t EvidenceMaker::PairsWith(const index::PatchTokens& tokens) const {
  int most = 0;
  for (const QueryTokens& part : query_) most = std::max(most, part.tokens.cells());
  return int64_t{most} * tokens.cells();
}

absl::StatusOr<size_t> EvidenceMaker::StrongestPart(const rerank::Patches& result) const {
  if (query_.size() == 1) return size_t{0};
  size_t strongest = 0;
  double most = 0;
  for (size_t i = 0; i < query_.size(); ++i) {
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<rerank::TransportScore> scores,
                               transports_[i].Score(absl::MakeConstSpan(&result, 1)));
    const double contribution = query_[i].weight * scores.front().structural;
    if (i == 0 || contribution > most) {
      most = contribution;
      strongest = i;
    }
  }
  return strongest;
}

absl::Status EvidenceMaker::Explain(const EvidenceResult& result, v1::Evidence* out) const {
  const rerank::Patches patches{.tokens = result.tokens};
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t strongest, StrongestPart(patches));
  const QueryTokens& part = query_[strongest];
  SIGHTLINE_ASSIGN_OR_RETURN(const rerank::Plan plan, transports_[strongest].Explain(patches));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<double> cosines, rerank::PatchSimilarities(*result.tokens, part.tokens));
  const rerank::Evidence evidence = rerank::MakeEvidence(plan,
                                                         {.values = cosines,
                                                          .rows = static_cast<size_t>(result.tokens->cells()),
                                                          .columns = static_cast<size_t>(part.tokens.cells())},
                                                         CorrespondencesOf(options_));

  for (const rerank::Correspondence& pair : evidence.correspondences) {
    v1::Correspondence* const target = out->add_correspondences();
    PutCell(part.region, part.tokens.height, part.tokens.width, pair.query_cell, target->mutable_query_box());
    PutCell(result.region, result.tokens->height, result.tokens->width, pair.result_cell, target->mutable_result_box());
    target->set_mass(pair.mass);
    target->set_cosine(pair.cosine);
  }
  if (options_.heat_maps()) {
    PutHeat(evidence.query_heat, part.tokens, part.region, out->mutable_query_heat_map());
    PutHeat(evidence.result_heat, *result.tokens, result.region, out->mutable_result_heat_map());
  }
  out->set_score(result.score);
  out->set_structural_score(plan.structural);
  out->set_weight(weight_);
  out->set_rerank_score(result.score + weight_ * plan.structural);
  out->set_mass(plan.mass);
  out->set_query_part(part.part);
  out->set_query_crop(part.crop);
  return absl::OkStatus();
}

}  // namespace sightline::server
