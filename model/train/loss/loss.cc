#include "model/train/loss/loss.h"

#include "model/train/loss/arcface.h"
#include "model/train/loss/contrastive.h"
#include "model/train/loss/margin.h"
#include "model/train/loss/multi_similarity.h"
#include "model/train/loss/pairs.h"
#include "model/train/loss/triplet_sos.h"

namespace sightline::train {
namespace {

// For training by distillation alone.
class NoLoss : public Loss {
 public:
  torch::Tensor Forward(const torch::Tensor& outputs, const torch::Tensor& /*labels*/) override {
    return ZeroLoss(outputs);
  }
};

}  // namespace

std::shared_ptr<Loss> BuildLoss(const LossConfig& config, int64_t dim, int64_t classes) {
  switch (config.kind) {
    case LossKind::kNone: return std::make_shared<NoLoss>();
    case LossKind::kArcFace: return std::make_shared<ArcFace>(config, dim, classes);
    case LossKind::kContrastive: return std::make_shared<Contrastive>(config);
    case LossKind::kTripletSos: return std::make_shared<TripletSos>(config);
    case LossKind::kMargin: return std::make_shared<MarginLoss>(config, classes);
    case LossKind::kMultiSimilarity: return std::make_shared<MultiSimilarity>(config);
  }
  return nullptr;
}

}  // namespace sightline::train
