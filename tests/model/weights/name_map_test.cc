#include "model/weights/name_map.h"

#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/weights/name_pattern.h"

namespace sightline::weights {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Names = std::vector<std::string>;

TEST(NamePatternTest, RenamesWhatMatches) {
  EXPECT_EQ(Rename("s1.b2.f.a.weight", "s#.b#.f.a.*", "layer{1}.{2-1}.conv1.*"), "layer1.1.conv1.weight");
  EXPECT_EQ(Rename("features.12.bias", "features.#.*", "{1}|*"), "12|bias");
  EXPECT_EQ(Rename("x", "x", "y"), "y");
  EXPECT_EQ(Rename("a.b.tail", "a.*tail", "*"), "b.");
  EXPECT_EQ(Rename("layers.3.w", "layers.#.*", "layers.{1+1}.*"), "layers.4.w");
  EXPECT_EQ(Rename("layers.0.w", "layers.#.*", "layers.{1-1}.*"), std::nullopt);
  EXPECT_EQ(Rename("layers.x.w", "layers.#.*", "*"), std::nullopt);
  EXPECT_EQ(Rename("layers.99999999999.w", "layers.#.*", "*"), std::nullopt);
  EXPECT_EQ(Rename("xy", "x", "y"), std::nullopt);
  EXPECT_EQ(Rename("", "x*", "y"), std::nullopt);
  EXPECT_EQ(Rename("ab", "ab*b", "y"), std::nullopt) << "the text between must not be shorter than nothing";
}

TEST(NameMapTest, ShapesAgreeButForOnes) {
  EXPECT_TRUE(SameButForOnes({128, 2048, 1, 1}, {128, 2048}));
  EXPECT_TRUE(SameButForOnes({}, {1}));
  EXPECT_FALSE(SameButForOnes({2, 3}, {3, 2}));
  EXPECT_FALSE(SameButForOnes({2, 3}, {6}));
}

struct Family {
  std::string family;
  std::string prefix;
  std::string head;
  std::map<std::string, std::string> names;  // of the file, and what each must become
};

// Every tensor has a shape of its own, so that a name mapped wrongly does not fit by chance.
TEST(NameMapTest, KnowsThePublishedFamilies) {
  const std::vector<Family> families = {
      {"sightline", "", "dtop", {{"backbone.norm.bias", "backbone.norm.bias"}, {"dtop.fuse.w", "dtop.fuse.w"}}},
      {"timm, torchvision, CvT or DINOv2",
       "",
       "cls",
       {{"cls_token", "backbone.cls_token"}, {"blocks.0.attn.qkv.weight", "backbone.blocks.0.attn.qkv.weight"}}},
      {"timm, torchvision, CvT or DINOv2",
       "module.model.",
       "linear",
       {{"module.model.cls_token", "backbone.cls_token"},
        {"module.model.head.weight", "linear.fc.weight"},
        {"module.model.norm.weight", "backbone.norm.weight"}}},
      {"timm, torchvision, CvT or DINOv2",
       "module.",
       "diml",
       {{"module.conv1.weight", "backbone.conv1.weight"}, {"module.last_linear.bias", "diml.last_linear.bias"}}},
      {"timm, torchvision, CvT or DINOv2",
       "",
       "cls",
       {{"register_tokens", "backbone.reg_token"}, {"blocks.1.7.ls1.gamma", "backbone.blocks.7.ls1.gamma"}}},
      {"timm, torchvision, CvT or DINOv2",
       "backbone.",
       "gem",
       {{"backbone.bn1.bias", "backbone.bn1.bias"},
        {"backbone.conv1.weight", "backbone.conv1.weight"},
        {"pooling.p", "gem.pool.p"},
        {"fc.weight", "gem.fc.weight"},
        {"bn.bias", "gem.bn.bias"}}},
      {"timm, torchvision, CvT or DINOv2",
       "",
       "gem",
       {{"features.28.bias", "backbone.features.28.bias"}, {"pool.p", "gem.pool.p"}, {"whiten.bias", "gem.fc.bias"}}},
      {"timm 0.9 Swin",
       "",
       "gap",
       {{"layers.1.downsample.norm.bias", "backbone.layers.0.downsample.norm.bias"},
        {"layers.2.downsample.norm.bias", "backbone.layers.1.downsample.norm.bias"},
        {"layers.3.downsample.norm.bias", "backbone.layers.2.downsample.norm.bias"}}},
      {"timm, torchvision, CvT or DINOv2",
       "",
       "gap",
       {{"layers.0.downsample.norm.bias", "backbone.layers.0.downsample.norm.bias"},
        {"layers.1.downsample.norm.bias", "backbone.layers.1.downsample.norm.bias"},
        {"layers.2.downsample.norm.bias", "backbone.layers.2.downsample.norm.bias"}}},
      {"torchvision ViT",
       "",
       "cls",
       {{"class_token", "backbone.cls_token"},
        {"conv_proj.bias", "backbone.patch_embed.proj.bias"},
        {"encoder.pos_embedding", "backbone.pos_embed"},
        {"encoder.layers.encoder_layer_11.ln_2.bias", "backbone.blocks.11.norm2.bias"},
        {"encoder.layers.encoder_layer_0.self_attention.in_proj_weight", "backbone.blocks.0.attn.qkv.weight"},
        {"encoder.layers.encoder_layer_0.self_attention.out_proj.bias", "backbone.blocks.0.attn.proj.bias"},
        {"encoder.layers.encoder_layer_0.mlp.3.bias", "backbone.blocks.0.mlp.fc2.bias"},
        {"encoder.ln.weight", "backbone.norm.weight"}}},
      {"torchvision Swin",
       "",
       "gap",
       {{"features.0.0.weight", "backbone.patch_embed.proj.weight"},
        {"features.0.2.bias", "backbone.patch_embed.norm.bias"},
        {"features.5.4.mlp.0.bias", "backbone.layers.2.blocks.4.mlp.fc1.bias"},
        {"features.7.1.attn.qkv.weight", "backbone.layers.3.blocks.1.attn.qkv.weight"},
        {"features.6.reduction.weight", "backbone.layers.2.downsample.reduction.weight"},
        {"norm.bias", "backbone.norm.bias"}}},
      {"cirtorch",
       "",
       "gem",
       {{"features.0.weight", "backbone.conv1.weight"},
        {"features.1.running_var", "backbone.bn1.running_var"},
        {"features.6.22.conv3.weight", "backbone.layer3.22.conv3.weight"},
        {"pool.p", "gem.pool.p"},
        {"whiten.weight", "gem.fc.weight"}}},
      {"SOLAR",
       "",
       "solar",
       {{"features.conv1.1.bias", "backbone.bn1.bias"},
        {"features.conv2_x.2.0.conv1.weight", "backbone.layer1.0.conv1.weight"},
        {"features.conv4_x.22.bn3.bias", "backbone.layer3.22.bn3.bias"},
        {"soa4.f.0.weight", "backbone.soa4.f.0.weight"},
        {"soa5.v.bias", "backbone.soa5.v.bias"},
        {"whiten.bias", "solar.fc.bias"}}},
      {"pycls (DELG, DOLG)",
       "globalmodel.",
       "delg",
       {{"globalmodel.stem.conv.weight", "backbone.conv1.weight"},
        {"globalmodel.s1.b1.proj.weight", "backbone.layer1.0.downsample.0.weight"},
        {"globalmodel.s1.b1.bn.bias", "backbone.layer1.0.downsample.1.bias"},
        {"globalmodel.s4.b3.f.b_bn.bias", "backbone.layer4.2.bn2.bias"},
        {"globalmodel.head.pool.p", "delg.pool.p"},
        {"globalmodel.head.fc.weight", "delg.fc.weight"}}},
      {"pycls (DELG, DOLG)",
       "module.globalmodel.",
       "dolg",
       {{"module.globalmodel.s3.b23.f.c.weight", "backbone.layer3.22.conv3.weight"},
        {"module.globalmodel.stem.bn.bias", "backbone.bn1.bias"}}},
      {"pytorch-NetVlad",
       "",
       "netvlad",
       {{"encoder.28.bias", "backbone.features.28.bias"},
        {"pool.centroids", "netvlad.pool.centroids"},
        {"WPCA.0.weight", "netvlad.WPCA.0.weight"}}},
  };
  for (const Family& family : families) {
    std::vector<TensorView> file;
    std::vector<TensorShape> model;
    int64_t side = 2;
    for (const auto& [from, to] : family.names) {
      file.push_back({from, DType::kF32, {side}, {}});
      model.push_back({to, {side}});
      ++side;
    }
    const NameMapping mapping = MapNames(file, model, family.head);
    EXPECT_EQ(mapping.family, family.family) << family.names.begin()->first;
    EXPECT_EQ(mapping.prefix, family.prefix) << family.names.begin()->first;
    EXPECT_THAT(mapping.findings, IsEmpty()) << family.names.begin()->first;
    for (const MappedTensor& tensor : mapping.tensors) {
      EXPECT_EQ(tensor.target, family.names.at(file[tensor.source].name));
    }
    EXPECT_EQ(mapping.tensors.size(), family.names.size());
  }
}

TEST(NameMapTest, ReportsWhatDoesNotFit) {
  const std::vector<TensorView> file = {{"cls_token", DType::kF32, {1, 1, 8}, {}},
                                        {"head.weight", DType::kF32, {1000, 8}, {}},
                                        {"norm.weight", DType::kF32, {9}, {}},
                                        {"relative_position_index", DType::kI64, {4}, {}},
                                        {"surprise", DType::kF32, {3}, {}}};
  const std::vector<TensorShape> model = {
      {"backbone.cls_token", {1, 1, 8}}, {"backbone.norm.bias", {8}}, {"backbone.norm.weight", {8}}};
  const NameMapping mapping = MapNames(file, model, "cls");
  ASSERT_EQ(mapping.tensors.size(), 1u);
  std::vector<std::pair<Finding, std::string>> found;
  for (const FoundTensor& finding : mapping.findings) found.emplace_back(finding.what, finding.name);
  EXPECT_THAT(
      found,
      ElementsAre(std::pair(Finding::kIgnored, "head.weight"), std::pair(Finding::kMisshaped, "norm.weight"),
                  std::pair(Finding::kIgnored, "relative_position_index"), std::pair(Finding::kUnexpected, "surprise"),
                  std::pair(Finding::kMissing, "backbone.norm.bias")));
}

TEST(NameMapTest, AClassifierIsNoHead) {
  // ImageNet's fc of a ResNet is not the whitening of a GeM model, though both are called fc.
  const std::vector<TensorView> file = {{"conv1.weight", DType::kF32, {64, 3, 7, 7}, {}},
                                        {"fc.weight", DType::kF32, {1000, 2048}, {}}};
  const std::vector<TensorShape> model = {{"backbone.conv1.weight", {64, 3, 7, 7}}, {"gem.fc.weight", {512, 2048}}};
  const NameMapping mapping = MapNames(file, model, "gem");
  ASSERT_EQ(mapping.findings.size(), 2u);
  EXPECT_EQ(mapping.findings[0].what, Finding::kIgnored);
  EXPECT_EQ(mapping.findings[0].reason, "classifier");
  EXPECT_EQ(mapping.findings[1].what, Finding::kMissing);
}

TEST(NameMapTest, ManyMadeUpPrefixesEnd) {
  std::vector<TensorView> file;
  const char* const wrappers[] = {"module.", "model.", "backbone.", "encoder.", "net.", "network."};
  for (const char* a : wrappers) {
    for (const char* b : wrappers) {
      for (const char* c : wrappers) file.push_back({std::string(a) + b + c + "x", DType::kF32, {1}, {}});
    }
  }
  EXPECT_EQ(MapNames(file, {}, "gem").findings.size(), file.size());
  EXPECT_TRUE(MapNames({}, {}, "gem").findings.empty());
}

}  // namespace
}  // namespace sightline::weights
