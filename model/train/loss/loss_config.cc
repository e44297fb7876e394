#include "model/train/loss/loss_config.h"

#include <array>
#include <string>

#include "base/status.h"

namespace sightline::train {
namespace {

constexpr std::array<absl::string_view, 6> kLossKinds = {"none",        "arcface", "contrastive",
                                                         "triplet_sos", "margin",  "multi_similarity"};

// What the published recipes use. ArcFace: METHODS 1.6; contrastive: cirtorch, 4.5; triplet: SOLAR, 4.7; margin: 3.7.
double UsualMargin(LossKind kind) {
  switch (kind) {
    case LossKind::kNone: return 0;
    case LossKind::kArcFace: return 0.3;
    case LossKind::kContrastive: return 0.7;
    case LossKind::kTripletSos: return 1.25;
    case LossKind::kMargin: return 0.2;
    case LossKind::kMultiSimilarity: return 0;
  }
  return 0;
}

// Of an angle for ArcFace, which may not reach pi/2 and leave a class nothing to win; of squared distances for the
// triplet loss, at most 4 between unit vectors; of distances otherwise.
double MostMargin(LossKind kind) {
  if (kind == LossKind::kArcFace) return 1.5;
  return kind == LossKind::kTripletSos ? 4 : 2;
}

bool HasMargin(LossKind kind) { return kind != LossKind::kNone && kind != LossKind::kMultiSimilarity; }

}  // namespace

absl::StatusOr<LossConfig> LossConfig::Parse(model::Fields& fields) {
  LossConfig config;
  config.kind = static_cast<LossKind>(fields.OneOf("kind", kLossKinds));
  config.margin = UsualMargin(config.kind);
  if (HasMargin(config.kind)) config.margin = fields.Number("margin", 0, MostMargin(config.kind), config.margin);
  if (config.kind == LossKind::kArcFace) {
    config.scale = fields.Number("scale", 1, 1000, config.scale);
    config.sub_centres = static_cast<int>(fields.Int("sub_centres", 1, 64, config.sub_centres));
  }
  if (config.kind == LossKind::kTripletSos) config.sos_weight = fields.Number("sos_weight", 0, 1e4, config.sos_weight);
  if (config.kind == LossKind::kMargin) config.beta = fields.Number("beta", 0, 2, config.beta);
  if (config.kind == LossKind::kMultiSimilarity) {
    // Both divide.
    config.alpha = fields.Number("alpha", 1e-3, 1e3, config.alpha);
    config.ms_beta = fields.Number("beta", 1e-3, 1e3, config.ms_beta);
    config.base = fields.Number("base", -1, 1, config.base);
    config.epsilon = fields.Number("epsilon", 0, 2, config.epsilon);
  }
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

nlohmann::json LossConfig::ToJson() const {
  nlohmann::json result = {{"kind", std::string(kLossKinds[static_cast<size_t>(kind)])}};
  if (HasMargin(kind)) result["margin"] = margin;
  if (kind == LossKind::kArcFace) {
    result["scale"] = scale;
    result["sub_centres"] = sub_centres;
  }
  if (kind == LossKind::kTripletSos) result["sos_weight"] = sos_weight;
  if (kind == LossKind::kMargin) result["beta"] = beta;
  if (kind == LossKind::kMultiSimilarity) {
    result["alpha"] = alpha;
    result["beta"] = ms_beta;
    result["base"] = base;
    result["epsilon"] = epsilon;
  }
  return result;
}

}  // namespace sightline::train
