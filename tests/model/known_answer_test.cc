// Known answers of the parts of DToP and its backbones, and the parameter counts of the public architectures.
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "model/backbone/attention.h"
#include "model/backbone/hybrid_stem.h"
#include "model/backbone/position_embedding.h"
#include "model/config/model_config.h"
#include "model/head/fuse.h"
#include "model/inference.h"
#include "model/layers/conv.h"
#include "model/layers/same_padding.h"
#include "model/registry.h"
#include "model/weights/load.h"
#include "model/weights/seeded_init.h"

namespace sightline::model {
namespace {

ModelConfig Zoo(const std::string& name) {
  std::stringstream text;
  text << std::ifstream(std::string(SIGHTLINE_ZOO) + "/" + name + "/model.json").rdbuf();
  auto config = ParseModelConfig(text.str());
  EXPECT_TRUE(config.ok()) << config.status();
  return *config;
}

int64_t Values(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const torch::Tensor& parameter : module.parameters()) count += parameter.numel();
  return count;
}

void ExpectClose(const torch::Tensor& have, const torch::Tensor& want, double tolerance) {
  ASSERT_EQ(have.sizes(), want.sizes());
  EXPECT_LE((have - want).abs().max().item<double>(), tolerance) << have << "\nwanted\n" << want;
}

TEST(KnownAnswer, StandardisedFilter) {
  const torch::Tensor filter = torch::tensor({1.0f, 2.0f, 3.0f, 4.0f}).view({1, 4, 1, 1});
  ExpectClose(StandardiseFilters(filter).flatten(), torch::tensor({-1.3416408f, -0.4472136f, 0.4472136f, 1.3416408f}),
              1e-6);
}

TEST(KnownAnswer, SamePaddingTable) {
  struct Row {
    int64_t n, kernel, stride, out, before, after;
  };
  const std::vector<Row> rows = {{224, 7, 2, 112, 2, 3}, {363, 7, 2, 182, 3, 3}, {112, 3, 2, 56, 0, 1},
                                 {182, 3, 2, 91, 0, 1},  {91, 3, 2, 46, 1, 1},   {56, 3, 1, 56, 1, 1},
                                 {91, 1, 2, 46, 0, 0},   {56, 1, 2, 28, 0, 0}};
  for (const Row& row : rows) {
    const Padding padding = SamePadding(row.n, row.kernel, row.stride);
    EXPECT_EQ(padding.before, row.before) << row.n;
    EXPECT_EQ(padding.after, row.after) << row.n;
    const torch::Tensor padded = PadSame(torch::zeros({1, 1, row.n, row.n}), row.kernel, row.stride, 0);
    EXPECT_EQ((padded.size(2) - row.kernel) / row.stride + 1, row.out);
  }
}

TEST(KnownAnswer, MaxPoolIgnoresItsPadding) {
  const torch::Tensor negative = torch::full({1, 1, 4, 4}, -5.0f);
  ExpectClose(MaxPoolSame(negative), torch::full({1, 1, 2, 2}, -5.0f), 0);
}

TEST(KnownAnswer, PositionEmbeddingIsResizedBilinearly) {
  // A 2 x 2 grid whose columns hold 0 and 1; the class row holds 9.
  const torch::Tensor embedding = torch::tensor({9.0f, 0.0f, 1.0f, 0.0f, 1.0f}).view({1, 5, 1});
  const auto row = [&](int64_t width) { return ResizePositionEmbedding(embedding, 1, width).flatten(); };
  ExpectClose(row(3), torch::tensor({9.0f, 0.0f, 0.5f, 1.0f}), 1e-6);
  ExpectClose(row(4), torch::tensor({9.0f, 0.0f, 0.25f, 0.75f, 1.0f}), 1e-6);
  EXPECT_TRUE(ResizePositionEmbedding(embedding, 2, 2).is_same(embedding)) << "equal grids must be left alone";
}

TEST(KnownAnswer, PositionEmbeddingLetsGradientsThrough) {
  const torch::Tensor embedding = torch::rand({1, 1 + 9, 4}, torch::requires_grad());
  ResizePositionEmbedding(embedding, 5, 2).sum().backward();
  EXPECT_NEAR(embedding.grad().sum().item<double>(), (1 + 10) * 4, 1e-4);
}

TEST(KnownAnswer, GeluIsTheExactOne) { EXPECT_NEAR(torch::gelu(torch::ones({1})).item<double>(), 0.8413447, 1e-6); }

TEST(KnownAnswer, FuseVariants) {
  const torch::Tensor y = torch::full({1, 1, 1, 1}, 2.0f);
  const torch::Tensor e = torch::full({1, 1, 1, 1}, 6.0f);
  EXPECT_FLOAT_EQ(FuseLayer(Fuse::kSum).Forward(y, e).item<float>(), 8);
  EXPECT_NEAR(FuseLayer(Fuse::kFastNorm).Forward(y, e).item<double>(), 8 / 2.0001, 1e-6);
  EXPECT_NEAR(FuseLayer(Fuse::kSoftmax).Forward(y, e).item<double>(), 4, 1e-6);
  FuseLayer negative(Fuse::kFastNorm);
  torch::NoGradGuard no_grad;
  negative.parameters()[0].copy_(torch::tensor({3.0f, -1.0f}));
  EXPECT_NEAR(negative.Forward(y, e).item<double>(), 6 / 3.0001, 1e-6) << "a negative weight counts as 0";
}

TEST(KnownAnswer, AttentionInPiecesEqualsAttentionAtOnce) {
  torch::manual_seed(3);
  torch::NoGradGuard no_grad;
  Attention attention(24, 3);
  for (torch::Tensor& parameter : attention.parameters()) parameter.normal_(0, 0.5);
  const torch::Tensor x = torch::randn({2, 37, 24});
  torch::Tensor whole_row, piece_row;
  const torch::Tensor whole = attention.Forward(x, &whole_row);
  const torch::Tensor pieces = attention.Forward(x, &piece_row, /*max_scores=*/2 * 3 * 37 * 5);
  ExpectClose(pieces, whole, 1e-5);
  ExpectClose(piece_row, whole_row, 1e-6);
}

TEST(KnownAnswer, ScalesAreMergedAsUnitVectors) {
  const torch::Tensor merged = MergeScales({torch::tensor({{100.0f, 0.0f}}), torch::tensor({{0.0f, 0.01f}})});
  ExpectClose(merged, torch::tensor({{std::sqrt(0.5f), std::sqrt(0.5f)}}), 1e-6);
}

TEST(ParameterCounts, AreThoseOfThePublicArchitectures) {
  const ModelConfig hybrid = Zoo("dtop_r50_vit_b");
  const auto backbone = BuildBackbone(hybrid.backbone);
  EXPECT_EQ(Values(*backbone), 97'890'112);
  EXPECT_EQ(backbone->parameters().size(), 306u);
  const HybridStem stem(std::get<HybridVitConfig>(hybrid.backbone));
  EXPECT_EQ(Values(stem), 11'894'848);
  EXPECT_EQ(stem.parameters().size(), 156u);

  const auto vit = BuildBackbone(Zoo("dtop_vit_b").backbone);
  EXPECT_EQ(Values(*vit), 86'567'656 - (768 * 1000 + 1000));
  EXPECT_EQ(vit->parameters().size(), 150u);
}

TEST(ParameterCounts, OfTheConfigurationAgreeWithTheNetwork) {
  for (const char* name : {"dtop_r50_vit_b", "dtop_vit_b", "dtop_tiny"}) {
    const ModelConfig config = Zoo(name);
    EXPECT_EQ(Values(Network(config.backbone, config.head)), config.parameters()) << name;
  }
}

TEST(ParameterNames, AreThoseOfTheWeightsFiles) {
  const ModelConfig config = Zoo("dtop_r50_vit_b");
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const NamedTensor& tensor : InferenceTensors(Network(config.backbone, config.head))) {
    shapes[tensor.name] = tensor.tensor.sizes().vec();
  }
  using Shape = std::vector<int64_t>;
  EXPECT_EQ(shapes["backbone.patch_embed.backbone.stem.conv.weight"], (Shape{64, 3, 7, 7}));
  EXPECT_EQ(shapes["backbone.patch_embed.backbone.stages.2.blocks.0.conv1.weight"], (Shape{256, 512, 1, 1}));
  EXPECT_EQ(shapes["backbone.patch_embed.backbone.stages.2.blocks.8.norm3.bias"], (Shape{1024}));
  EXPECT_EQ(shapes["backbone.patch_embed.backbone.stages.1.blocks.0.downsample.conv.weight"], (Shape{512, 256, 1, 1}));
  EXPECT_EQ(shapes["backbone.patch_embed.proj.weight"], (Shape{768, 1024, 1, 1}));
  EXPECT_EQ(shapes["backbone.cls_token"], (Shape{1, 1, 768}));
  EXPECT_EQ(shapes["backbone.pos_embed"], (Shape{1, 197, 768}));
  EXPECT_EQ(shapes["backbone.blocks.11.attn.qkv.weight"], (Shape{2304, 768}));
  EXPECT_EQ(shapes["backbone.blocks.0.mlp.fc2.bias"], (Shape{768}));
  EXPECT_EQ(shapes["backbone.norm.weight"], (Shape{768}));
  EXPECT_EQ(shapes["dtop.global_fc.weight"], (Shape{1536, 4608}));
  EXPECT_EQ(shapes["dtop.local_conv.weight"], (Shape{768, 4608, 1, 1}));
  EXPECT_EQ(shapes["dtop.elm.irb.dw.conv.weight"], (Shape{1536, 1, 3, 3}));
  EXPECT_EQ(shapes["dtop.elm.irb.expand.bn.running_var"], (Shape{1536}));
  EXPECT_EQ(shapes["dtop.elm.aspp.branch3.conv.weight"], (Shape{256, 768, 3, 3}));
  EXPECT_EQ(shapes["dtop.elm.aspp.pool.bn.weight"], (Shape{256}));
  EXPECT_EQ(shapes["dtop.elm.aspp.merge.conv.weight"], (Shape{256, 1280, 1, 1}));
  EXPECT_EQ(shapes["dtop.elm.aspp.out.bias"], (Shape{768}));
  EXPECT_EQ(shapes["dtop.fuse.w"], (Shape{2}));
  EXPECT_EQ(shapes["dtop.local_fc.weight"], (Shape{1536, 768}));
  EXPECT_EQ(shapes["dtop.final_fc.weight"], (Shape{1536, 3072}));
  EXPECT_EQ(shapes["dtop.bn.running_mean"], (Shape{1536}));
}

TEST(SeededInit, RepeatsForASeedAndDiffersBetweenSeeds) {
  const ModelConfig config = Zoo("dtop_tiny");
  Network first(config.backbone, config.head), second(config.backbone, config.head);
  InitialiseSeeded(InferenceTensors(first), 12, 5);
  InitialiseSeeded(InferenceTensors(second), 12, 5);
  const auto a = InferenceTensors(first);
  const auto b = InferenceTensors(second);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(a[i].tensor.equal(b[i].tensor)) << a[i].name;
  InitialiseSeeded(b, 12, 6);
  EXPECT_FALSE(first.named_parameters()["backbone.norm.weight"].equal(torch::zeros({192})));
  EXPECT_FALSE(first.named_parameters()["backbone.blocks.0.attn.qkv.weight"].equal(
      second.named_parameters()["backbone.blocks.0.attn.qkv.weight"]));
}

}  // namespace
}  // namespace sightline::model
