#include "model/backbone/cvt.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/backbone/conv_attention.h"
#include "model/layers/linear.h"

namespace sightline::model {
namespace {

constexpr double kCvtEpsilon = 1e-5;
// The first convolution, 7x7 with padding 2, gives a cell from here on.
constexpr int64_t kLeastSide = 3;

// What is known behind the last block.
void FinishCvt(const TokenGrid& grid, const Rollout* rollout, Features& features) {
  features.prefix = grid.prefix;
  features.height = grid.height;
  features.width = grid.width;
  const TokenGrid keys = ConvAttention::Keys(grid);
  features.cls_attention = RepeatCells(features.cls_attention, keys.height, keys.width, grid.height, grid.width);
  if (rollout != nullptr) features.rollout = rollout->Weights(grid.height, grid.width);
}

}  // namespace

class CvtMlp : public Layer {
 public:
  CvtMlp(int64_t dim, int64_t hidden)
      : fc1_(register_module("fc1", std::make_shared<Linear>(dim, hidden))),
        fc2_(register_module("fc2", std::make_shared<Linear>(hidden, dim))) {}
  torch::Tensor AddTo(const torch::Tensor& residual, const torch::Tensor& x) const {
    return fc2_->AddTo(residual, fc1_->Forward(x, Activation::kQuickGelu));
  }

 private:
  std::shared_ptr<Linear> fc1_;
  std::shared_ptr<Linear> fc2_;
};

class CvtBlock : public Layer {
 public:
  CvtBlock(int64_t dim, int64_t heads, int64_t hidden)
      : norm1_(register_module("norm1", std::make_shared<LayerNorm>(dim, kCvtEpsilon))),
        attn_(register_module("attn", std::make_shared<ConvAttention>(dim, heads))),
        norm2_(register_module("norm2", std::make_shared<LayerNorm>(dim, kCvtEpsilon))),
        mlp_(register_module("mlp", std::make_shared<CvtMlp>(dim, hidden))) {}

  // The result may be written into `x`, which is not to be read again.
  torch::Tensor Forward(const torch::Tensor& x, const TokenGrid& grid, torch::Tensor* cls_attention,
                        Rollout* rollout) const {
    const torch::Tensor attended = attn_->AddTo(x, norm1_->Forward(x), grid, cls_attention, rollout);
    return mlp_->AddTo(attended, norm2_->Forward(attended));
  }

 private:
  std::shared_ptr<LayerNorm> norm1_;
  std::shared_ptr<ConvAttention> attn_;
  std::shared_ptr<LayerNorm> norm2_;
  std::shared_ptr<CvtMlp> mlp_;
};

class CvtStage : public Layer {
 public:
  struct Shape {
    int64_t in = 0;
    int64_t dim = 0;
    int64_t depth = 0;
    int64_t heads = 0;
    int64_t hidden = 0;
    bool first = false;
    bool class_token = false;
  };

  explicit CvtStage(const Shape& shape) {
    const ConvShape conv{.in = shape.in,
                         .out = shape.dim,
                         .kernel = shape.first ? 7 : 3,
                         .stride = shape.first ? 4 : 2,
                         .padding = shape.first ? 2 : 1};
    const auto embed = register_module("patch_embed", std::make_shared<torch::nn::Module>());
    proj_ = embed->register_module("proj", std::make_shared<Conv>(conv));
    embed_norm_ = embed->register_module("norm", std::make_shared<LayerNorm>(shape.dim, kCvtEpsilon));
    if (shape.class_token) cls_token_ = register_parameter("cls_token", torch::empty({1, 1, shape.dim}));
    const auto list = register_module("blocks", std::make_shared<torch::nn::Module>());
    for (int64_t i = 0; i < shape.depth; ++i) {
      auto block = std::make_shared<CvtBlock>(shape.dim, shape.heads, shape.hidden);
      blocks_.push_back(list->register_module(std::to_string(i), std::move(block)));
    }
  }

  // (B, in, H, W) -> (B, T, C), the input of the first block; sets `grid`.
  torch::Tensor Embed(const torch::Tensor& map, TokenGrid& grid) const {
    const torch::Tensor embedded = proj_->Forward(map);
    grid = {.prefix = cls_token_.defined() ? 1 : 0, .height = embedded.size(2), .width = embedded.size(3)};
    const torch::Tensor tokens = embed_norm_->Forward(embedded.flatten(2).transpose(1, 2).contiguous());
    if (!cls_token_.defined()) return tokens;
    return torch::cat({cls_token_.expand({tokens.size(0), -1, -1}), tokens}, 1);
  }

  const std::vector<std::shared_ptr<CvtBlock>>& blocks() const { return blocks_; }

 private:
  std::shared_ptr<Conv> proj_;
  std::shared_ptr<LayerNorm> embed_norm_;
  torch::Tensor cls_token_;  // undefined but in the last stage
  std::vector<std::shared_ptr<CvtBlock>> blocks_;
};

Cvt::Cvt(const CvtConfig& config) {
  const size_t count = config.dims.size();
  for (size_t s = 0; s < count; ++s) {
    const CvtStage::Shape shape{.in = s == 0 ? 3 : config.dims[s - 1],
                                .dim = config.dims[s],
                                .depth = config.depths[s],
                                .heads = config.heads[s],
                                .hidden = int64_t{config.dims[s]} * config.mlp_ratio,
                                .first = s == 0,
                                .class_token = s + 1 == count};
    stages_.push_back(register_module(absl::StrCat("stage", s), std::make_shared<CvtStage>(shape)));
  }
  norm_ = register_module("norm", std::make_shared<LayerNorm>(config.dims.back(), kCvtEpsilon));
}

Features Cvt::Forward(const torch::Tensor& images, const Wanted& wanted) {
  torch::Tensor map = images;
  if (map.size(2) < kLeastSide || map.size(3) < kLeastSide) {
    const auto lacks = [](int64_t side) { return std::max<int64_t>(kLeastSide - side, 0); };
    map = torch::constant_pad_nd(map, {0, lacks(map.size(3)), 0, lacks(map.size(2))});
  }
  // Cells of the last grid along a side of the image.
  const auto last_cells = [this](int64_t side) {
    side = (side + 1) / 4;
    for (size_t s = 1; s < stages_.size(); ++s) side = (side + 1) / 2;
    return side;
  };
  std::optional<Rollout> rollout;
  if (wanted.rollout) {
    // The coarsest grid of all: averages only.
    const TokenGrid last{.height = last_cells(map.size(2)), .width = last_cells(map.size(3))};
    rollout.emplace(ConvAttention::Keys(last).height, ConvAttention::Keys(last).width);
  }
  Rollout* const followed = rollout ? &*rollout : nullptr;

  Features features;
  for (const auto& stage : stages_) {
    const bool last = stage == stages_.back();
    TokenGrid grid;
    torch::Tensor tokens = stage->Embed(map, grid);
    const auto depth = static_cast<int64_t>(stage->blocks().size());
    for (int64_t i = 0; i < depth; ++i) {
      torch::Tensor* const cls_attention = last && i + 1 == depth ? &features.cls_attention : nullptr;
      tokens = stage->blocks()[i]->Forward(tokens, grid, cls_attention, followed);
      if (last && i >= depth - wanted.layers) features.layers.push_back(norm_->Forward(tokens));
    }
    if (last) {
      FinishCvt(grid, followed, features);
    } else {
      map = tokens.view({tokens.size(0), grid.height, grid.width, tokens.size(2)}).permute({0, 3, 1, 2});
    }
  }
  return features;
}

std::shared_ptr<Backbone> BuildCvt(const CvtConfig& config) { return std::make_shared<Cvt>(config); }

}  // namespace sightline::model
