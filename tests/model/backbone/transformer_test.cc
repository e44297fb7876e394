// Names, counts, seeded initialisation and gradients of the transformer backbones.
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "model/config/architecture.h"
#include "model/registry.h"
#include "model/weights/load.h"
#include "model/weights/seeded_init.h"

namespace sightline::model {
namespace {

using nlohmann::json;
using Shape = std::vector<int64_t>;

BackboneConfig Config(const json& text) {
  auto parsed = ParseBackbone(text);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return *parsed;
}

std::vector<json> SmallBackbones() {
  return {
      {{"type", "vit"},
       {"dim", 48},
       {"depth", 3},
       {"heads", 3},
       {"patch", 8},
       {"grid", 4},
       {"registers", 2},
       {"distilled", true},
       {"layer_scale", true},
       {"position", "bicubic"}},
      {{"type", "vit"}, {"dim", 48}, {"depth", 3}, {"heads", 3}, {"patch", 8}, {"position", "cpe"}},
      {{"type", "vit"},
       {"dim", 48},
       {"depth", 3},
       {"heads", 3},
       {"patch", 8},
       {"position", "none"},
       {"qkv_bias", false}},
      {{"type", "swin"}, {"dim", 24}, {"heads", {1, 2, 4, 8}}},
      {{"type", "cvt"}, {"dims", {16, 48, 96}}},
  };
}

std::map<std::string, Shape> Shapes(const json& text) {
  std::map<std::string, Shape> shapes;
  for (const NamedTensor& tensor : InferenceTensors(*BuildBackbone(Config(text)))) {
    shapes[tensor.name] = tensor.tensor.sizes().vec();
  }
  return shapes;
}

TEST(TransformerBackbones, HaveThePublishedNames) {
  auto vit = Shapes({{"type", "vit"},
                     {"dim", 384},
                     {"heads", 6},
                     {"patch", 14},
                     {"grid", 37},
                     {"layer_scale", true},
                     {"registers", 4},
                     {"position_rows", "class"}});
  EXPECT_EQ(vit.size(), 175u);
  EXPECT_EQ(vit["patch_embed.proj.weight"], (Shape{384, 3, 14, 14}));
  EXPECT_EQ(vit["pos_embed"], (Shape{1, 1370, 384}));
  EXPECT_EQ(vit["reg_token"], (Shape{1, 4, 384}));
  EXPECT_EQ(vit["blocks.11.ls1.gamma"], (Shape{384}));
  EXPECT_EQ(vit["blocks.11.ls2.gamma"], (Shape{384}));

  auto distilled = Shapes({{"type", "vit"}, {"dim", 192}, {"heads", 3}, {"distilled", true}});
  EXPECT_EQ(distilled["dist_token"], (Shape{1, 1, 192}));
  EXPECT_EQ(distilled["pos_embed"], (Shape{1, 198, 192}));

  // 173 tensors and buffers in the published file, less 12 relative_position_index, 6 attn_mask of which it has 5 at
  // 224 x 224 (no shift in the last stage), and the classifier.
  auto swin = Shapes({{"type", "swin"}});
  EXPECT_EQ(swin["patch_embed.norm.weight"], (Shape{96}));
  EXPECT_EQ(swin["layers.0.blocks.1.attn.relative_position_bias_table"], (Shape{169, 3}));
  EXPECT_EQ(swin["layers.3.blocks.0.attn.relative_position_bias_table"], (Shape{169, 24}));
  EXPECT_EQ(swin["layers.2.blocks.5.attn.qkv.weight"], (Shape{1152, 384}));
  EXPECT_EQ(swin["layers.0.downsample.norm.weight"], (Shape{384}));
  EXPECT_EQ(swin["layers.2.downsample.reduction.weight"], (Shape{768, 1536}));
  EXPECT_FALSE(swin.contains("layers.2.downsample.reduction.bias"));
  EXPECT_FALSE(swin.contains("layers.3.downsample.norm.weight"));
  EXPECT_EQ(swin["norm.bias"], (Shape{768}));

  auto cvt = Shapes({{"type", "cvt"}});
  EXPECT_EQ(cvt["stage0.patch_embed.proj.weight"], (Shape{64, 3, 7, 7}));
  EXPECT_EQ(cvt["stage1.patch_embed.proj.weight"], (Shape{192, 64, 3, 3}));
  EXPECT_EQ(cvt["stage2.cls_token"], (Shape{1, 1, 384}));
  EXPECT_FALSE(cvt.contains("stage1.cls_token"));
  EXPECT_EQ(cvt["stage1.blocks.1.attn.conv_proj_k.conv.weight"], (Shape{192, 1, 3, 3}));
  EXPECT_EQ(cvt["stage2.blocks.9.attn.conv_proj_v.bn.running_mean"], (Shape{384}));
  EXPECT_EQ(cvt["stage2.blocks.9.attn.proj_q.bias"], (Shape{384}));
  EXPECT_EQ(cvt["stage2.blocks.9.attn.proj.weight"], (Shape{384, 384}));
  EXPECT_EQ(cvt["stage2.blocks.9.mlp.fc1.weight"], (Shape{1536, 384}));
}

TEST(TransformerBackbones, HaveAsManyParametersAsTheConfigurationCounts) {
  std::vector<json> backbones = SmallBackbones();
  backbones.push_back({{"type", "swin"}});
  backbones.push_back({{"type", "cvt"}});
  for (const json& text : backbones) {
    const BackboneConfig config = Config(text);
    int64_t count = 0;
    const auto backbone = BuildBackbone(config);
    for (const torch::Tensor& parameter : backbone->parameters()) count += parameter.numel();
    EXPECT_EQ(count, CountParameters(config)) << text;
  }
  EXPECT_EQ(BuildBackbone(Config({{"type", "cvt"}}))->parameters().size(), 340u) << "342 with the classifier";
}

TEST(TransformerBackbones, SeededInitialisationTellsImagesApart) {
  torch::manual_seed(3);
  torch::NoGradGuard no_grad;
  // Smooth images of different colours and gradients.
  const torch::Tensor coarse = torch::randn({4, 3, 5, 6});
  const torch::Tensor images = torch::upsample_bilinear2d(coarse, {80, 96}, /*align_corners=*/false);
  for (const json& text : SmallBackbones()) {
    const BackboneConfig config = Config(text);
    const auto backbone = BuildBackbone(config);
    InitialiseSeeded(InferenceTensors(*backbone), Facts(config).blocks, 9);
    PlanInference(*backbone);
    const Features features = backbone->Forward(images, {});
    const torch::Tensor pooled = LastMap(features).mean({2, 3});
    ASSERT_TRUE(torch::isfinite(pooled).all().item<bool>()) << text;
    const torch::Tensor unit = pooled / pooled.norm(2, 1, /*keepdim=*/true);
    const torch::Tensor cosines = torch::matmul(unit, unit.t()) - 2 * torch::eye(4);
    EXPECT_LT(cosines.max().item<float>(), 0.995) << text;
    const torch::Tensor spread = LastMap(features).flatten(2).std(2, /*unbiased=*/false).mean();
    EXPECT_GT(spread.item<float>(), 0.01) << text << ": the cells of an image are all the same";
    std::printf("%s: largest cosine %.3f, spread %.3f\n", text.at("type").get<std::string>().c_str(),
                cosines.max().item<double>(), spread.item<double>());
  }
}

TEST(TransformerBackbones, LetGradientsThroughToEveryParameter) {
  torch::manual_seed(4);
  for (const json& text : SmallBackbones()) {
    const BackboneConfig config = Config(text);
    const auto backbone = BuildBackbone(config);
    InitialiseSeeded(InferenceTensors(*backbone), Facts(config).blocks, 9);
    backbone->train();
    const Features features = backbone->Forward(torch::randn({2, 3, 72, 64}), {});
    const torch::Tensor map = LastMap(features);
    (map * torch::randn_like(map)).sum().backward();
    for (const auto& parameter : backbone->named_parameters()) {
      const torch::Tensor gradient = parameter.value().grad();
      ASSERT_TRUE(gradient.defined()) << text << parameter.key();
      EXPECT_TRUE(torch::isfinite(gradient).all().item<bool>()) << text << parameter.key();
    }
  }
}

TEST(TransformerBackbones, GiveTheSameForAnImageInAnyBatch) {
  torch::manual_seed(5);
  torch::NoGradGuard no_grad;
  const torch::Tensor images = torch::randn({3, 3, 72, 104});
  for (const json& text : SmallBackbones()) {
    const BackboneConfig config = Config(text);
    const auto backbone = BuildBackbone(config);
    InitialiseSeeded(InferenceTensors(*backbone), Facts(config).blocks, 9);
    PlanInference(*backbone);
    const Wanted wanted{.rollout = Facts(config).rollout};
    const Features together = backbone->Forward(images, wanted);
    const Features alone = backbone->Forward(images.narrow(0, 1, 1), wanted);
    EXPECT_LE((LastMap(together).narrow(0, 1, 1) - LastMap(alone)).abs().max().item<double>(), 1e-4) << text;
    if (wanted.rollout) {
      EXPECT_LE((together.rollout.narrow(0, 1, 1) - alone.rollout).abs().max().item<double>(), 1e-5) << text;
    }
  }
}

}  // namespace
}  // namespace sightline::model
