// Which loss, with which numbers: the member "loss" of a training configuration.
//
// Threading: values and pure functions. Failure: INVALID_ARGUMENT that names the member.
#ifndef SIGHTLINE_MODEL_TRAIN_LOSS_LOSS_CONFIG_H_
#define SIGHTLINE_MODEL_TRAIN_LOSS_LOSS_CONFIG_H_

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "model/config/fields.h"

namespace sightline::train {

enum class LossKind { kNone, kArcFace, kContrastive, kTripletSos, kMargin, kMultiSimilarity };

struct LossConfig {
  LossKind kind = LossKind::kArcFace;
  // ArcFace (Deng et al. 2019): cos(theta + margin) for the true class, times scale; the best of sub_centres weights
  // stands for a class. Also the margin of the contrastive (distance) and triplet losses and of the margin loss.
  double margin = 0.3;
  double scale = 30;
  int sub_centres = 1;
  double sos_weight = 10;  // kTripletSos: of second-order similarity (SOSNet), 0 for a plain triplet loss
  double beta = 0.6;       // kMargin: the initial boundary, learned per class
  // kMultiSimilarity (Wang et al. 2019).
  double alpha = 2;
  double ms_beta = 50;
  double base = 0.5;     // lambda
  double epsilon = 0.1;  // of mining

  static absl::StatusOr<LossConfig> Parse(model::Fields& fields);
  nlohmann::json ToJson() const;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_LOSS_LOSS_CONFIG_H_
