// Vision transformers, Swin and CvT in model.json: canonical form, parameter counts, hostile values.
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config/model_config.h"

namespace sightline::model {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json ZooModel(const std::string& name) {
  return json::parse(std::ifstream(std::string(SIGHTLINE_ZOO) + "/" + name + "/model.json"));
}

std::string Canonical(const json& backbone) {
  const auto parsed = ParseBackbone(backbone);
  EXPECT_TRUE(parsed.ok()) << backbone << parsed.status();
  return parsed.ok() ? ToJson(*parsed).dump() : "";
}

// What the embedding space of stored descriptors was computed from.
TEST(TransformerConfig, CanonicalFormOfEarlierModelsIsWhatItWas) {
  EXPECT_EQ(Canonical(ZooModel("dtop_vit_b")["backbone"]),
            R"({"depth":12,"dim":768,"grid":14,"heads":12,"mlp_ratio":4,"patch":16,"type":"vit"})");
  EXPECT_EQ(Canonical(ZooModel("dtop_r50_vit_b")["backbone"]),
            R"({"depth":12,"dim":768,"grid":14,"groups":32,"heads":12,"mlp_ratio":4,"stages":[)"
            R"({"blocks":3,"channels":256,"stride":1},{"blocks":4,"channels":512,"stride":2},)"
            R"({"blocks":9,"channels":1024,"stride":2}],"stem_channels":64,"type":"hybrid_vit"})");
  json hybrid = ZooModel("dtop_tiny")["backbone"];
  hybrid["linear_patches"] = false;
  EXPECT_EQ(Canonical(hybrid), R"({"depth":12,"dim":192,"grid":14,"groups":1,"heads":3,"mlp_ratio":4,"stages":[)"
                               R"({"blocks":1,"channels":64,"stride":1},{"blocks":1,"channels":128,"stride":2},)"
                               R"({"blocks":1,"channels":256,"stride":2}],"stem_channels":32,"type":"hybrid_vit"})");
  EXPECT_TRUE(Canonical(ZooModel("dtop_tiny")["backbone"]).find("\"linear_patches\":true") != std::string::npos);
}

TEST(TransformerConfig, DefaultsSpeltOutChangeNothing) {
  EXPECT_EQ(Canonical({{"type", "vit"},
                       {"registers", 0},
                       {"distilled", false},
                       {"layer_scale", false},
                       {"qkv_bias", true},
                       {"norm_epsilon", 1e-6},
                       {"position", "bilinear"},
                       {"position_rows", "all"}}),
            Canonical({{"type", "vit"}}));
}

TEST(TransformerConfig, CanonicalFormReadsBackAsItself) {
  const std::vector<json> backbones = {
      {{"type", "vit"},
       {"patch", 14},
       {"grid", 37},
       {"layer_scale", true},
       {"registers", 4},
       {"position", "bicubic"},
       {"position_rows", "class"}},
      {{"type", "vit"}, {"distilled", true}, {"qkv_bias", false}, {"norm_epsilon", 1e-5}, {"position", "none"}},
      {{"type", "vit"}, {"position", "cpe"}},
      {{"type", "swin"}},
      {{"type", "swin"}, {"dim", 128}, {"depths", {2, 2, 18, 2}}, {"heads", {4, 8, 16, 32}}, {"window", 12}},
      {{"type", "cvt"}},
      {{"type", "cvt"}, {"dims", {192, 768, 1024}}, {"depths", {2, 2, 20}}, {"heads", {3, 12, 16}}},
  };
  for (const json& backbone : backbones) {
    const std::string canonical = Canonical(backbone);
    EXPECT_EQ(Canonical(json::parse(canonical)), canonical);
    for (const auto& [key, value] : backbone.items()) EXPECT_EQ(json::parse(canonical)[key], value) << canonical;
  }
}

int64_t Count(const json& backbone) {
  const auto parsed = ParseBackbone(backbone);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? CountParameters(*parsed) : 0;
}

// Published counts include a classifier of 1000 classes.
constexpr int64_t Classifier(int64_t dim) { return dim * 1000 + 1000; }

TEST(TransformerConfig, CountsThePublishedParameters) {
  EXPECT_EQ(Count({{"type", "swin"}}), 28'288'354 - Classifier(768));
  EXPECT_EQ(Count({{"type", "cvt"}}), 19'997'480 - Classifier(384));
  const json small = {{"type", "vit"}, {"dim", 384}, {"heads", 6}};
  EXPECT_EQ(Count(small), 22'050'664 - Classifier(384));
  json distilled = small;
  distilled["distilled"] = true;
  EXPECT_EQ(Count(distilled), 22'436'432 - 2 * Classifier(384));
  json dinov2 = small;
  dinov2.update({{"patch", 14}, {"grid", 37}, {"layer_scale", true}, {"position", "bicubic"}});
  EXPECT_EQ(Count(dinov2), 22'056'576 - 384) << "the published file has a mask token too";
  json registers = dinov2;
  registers.update({{"registers", 4}, {"position_rows", "class"}});
  EXPECT_EQ(Count(registers) - Count(dinov2), 4 * 384);
  registers["position_rows"] = "patches";
  EXPECT_EQ(Count(registers) - Count(dinov2), 3 * 384);
  registers["position_rows"] = "all";
  EXPECT_EQ(Count(registers) - Count(dinov2), 8 * 384);
}

struct HostileBackbone {
  json backbone;
  const char* says;
};

TEST(TransformerConfig, RefusesWrongValuesNamingTheField) {
  const std::vector<HostileBackbone> hostile = {
      {{{"type", "vit"}, {"registers", -1}}, "\"backbone.registers\""},
      {{{"type", "vit"}, {"registers", 1000}}, "\"backbone.registers\""},
      {{{"type", "vit"}, {"distilled", 1}}, "\"backbone.distilled\" must be true or false"},
      {{{"type", "vit"}, {"norm_epsilon", 0}}, "\"backbone.norm_epsilon\""},
      {{{"type", "vit"}, {"norm_epsilon", "1e-6"}}, "\"backbone.norm_epsilon\""},
      {{{"type", "vit"}, {"position", "sinusoidal"}}, "must be one of: bilinear, bicubic, cpe, none"},
      {{{"type", "vit"}, {"position_rows", "class"}}, "must not be class without registers"},
      {{{"type", "vit"}, {"position", "cpe"}, {"grid", 14}}, "\"backbone.grid\" is not a known field"},
      {{{"type", "vit"}, {"position", "none"}, {"position_rows", "all"}}, "\"backbone.position_rows\" is not a known"},
      {{{"type", "vit"}, {"window", 7}}, "\"backbone.window\" is not a known field"},
      {{{"type", "swin"}, {"depths", {2, 2}}}, "\"backbone.heads\" must have as many values as depths"},
      {{{"type", "swin"}, {"depths", json::array()}}, "\"backbone.depths\" must be a list"},
      {{{"type", "swin"}, {"depths", {2, 2, 6, 2, 2, 2, 2}}}, "\"backbone.depths\" must be a list of 1 to 6"},
      {{{"type", "swin"}, {"depths", 4}}, "\"backbone.depths\" must be a list"},
      {{{"type", "swin"}, {"depths", {2, 2, 6.5, 2}}}, "\"backbone.depths\" must hold whole numbers from 1 to 64"},
      {{{"type", "swin"}, {"depths", {2, 2, UINT64_MAX, 2}}}, "\"backbone.depths\""},
      {{{"type", "swin"}, {"depths", {2, 2, INT64_MIN, 2}}}, "\"backbone.depths\""},
      {{{"type", "swin"}, {"heads", {3, 6, 0, 24}}}, "\"backbone.heads\""},
      {{{"type", "swin"}, {"heads", {5, 6, 12, 24}}}, "\"backbone.heads\" must divide the stages' channels"},
      {{{"type", "swin"}, {"dim", 0}}, "\"backbone.dim\""},
      {{{"type", "swin"}, {"window", 0}}, "\"backbone.window\""},
      {{{"type", "swin"}, {"window", 1 << 20}}, "\"backbone.window\""},
      {{{"type", "cvt"}, {"dims", {64, 192}}}, "\"backbone.depths\" must have as many values as dims"},
      {{{"type", "cvt"}, {"heads", {1, 3, 5}}}, "\"backbone.dims\" must be multiples of heads"},
      {{{"type", "cvt"}, {"dims", {"64", 192, 384}}}, "\"backbone.dims\" must hold whole numbers"},
      {{{"type", "cvt"}, {"grid", 14}}, "\"backbone.grid\" is not a known field"},
  };
  for (const HostileBackbone& one : hostile) {
    const auto parsed = ParseBackbone(one.backbone);
    ASSERT_FALSE(parsed.ok()) << one.backbone;
    EXPECT_EQ(base::GetErrorInfo(parsed.status()).reason, "INVALID_MODEL_CONFIG");
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(one.says)) << one.backbone;
  }
}

TEST(TransformerConfig, RefusesWhatIsTooLarge) {
  const std::vector<json> huge = {
      {{"type", "swin"}, {"dim", 1024}, {"depths", {64, 64, 64, 64, 64, 64}}, {"heads", {1, 1, 1, 1, 1, 1}}},
      {{"type", "cvt"}, {"dims", {4096, 4096, 4096}}, {"depths", {64, 64, 64}}, {"heads", {1, 1, 1}}},
  };
  for (const json& backbone : huge) {
    const auto parsed = ParseBackbone(backbone);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_GT(CountParameters(*parsed), kMaxParameters);
  }
  json config = ZooModel("dtop_vit_b");
  config["backbone"] = huge[1];
  const auto parsed = ParseModelConfig(config.dump());
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(base::GetErrorInfo(parsed.status()).reason, "MODEL_TOO_LARGE");
}

TEST(TransformerConfig, SaysWhatABackboneGives) {
  const BackboneFacts swin = Facts(*ParseBackbone({{"type", "swin"}}));
  EXPECT_EQ(swin.dim, 768);
  EXPECT_EQ(swin.layers, 0);
  EXPECT_FALSE(swin.class_token);
  EXPECT_FALSE(swin.rollout);
  EXPECT_EQ(swin.maps, std::vector<int>{768});
  EXPECT_EQ(swin.stride, 32);
  EXPECT_EQ(swin.blocks, 12);
  const BackboneFacts cvt = Facts(*ParseBackbone({{"type", "cvt"}}));
  EXPECT_EQ(cvt.dim, 384);
  EXPECT_EQ(cvt.layers, 10);
  EXPECT_TRUE(cvt.class_token);
  EXPECT_TRUE(cvt.rollout);
  EXPECT_EQ(cvt.stride, 16);
  EXPECT_EQ(cvt.blocks, 13);
  EXPECT_TRUE(Facts(*ParseBackbone({{"type", "vit"}})).rollout);
}

TEST(TransformerConfig, HeadsAndTokensGetWhatTheyNeed) {
  json config = ZooModel("dtop_vit_b");
  config["tokens"]["importance"] = "rollout";
  EXPECT_TRUE(ParseModelConfig(config.dump()).ok());
  config["backbone"] = {{"type", "cvt"}};
  EXPECT_TRUE(ParseModelConfig(config.dump()).ok());
  config["backbone"] = {{"type", "swin"}};
  const auto rollout = ParseModelConfig(config.dump());
  ASSERT_FALSE(rollout.ok());
  EXPECT_THAT(std::string(rollout.status().message()), HasSubstr("\"tokens.importance\" must not be rollout"));
  config["tokens"]["importance"] = "norm";
  const auto class_token = ParseModelConfig(config.dump());
  ASSERT_FALSE(class_token.ok());
  EXPECT_THAT(std::string(class_token.status().message()), HasSubstr("needs a class token"));
}

}  // namespace
}  // namespace sightline::model
