#include "model/config/model_config.h"

#include <cstdio>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sightline::model {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

std::string TextOf(const std::string& folder) {
  std::stringstream text;
  text << std::ifstream(folder + "/model.json").rdbuf();
  return text.str();
}

std::string Text(const std::string& name) { return TextOf(std::string(SIGHTLINE_ZOO) + "/" + name); }

// One that no training changes.
std::string SeededText() { return TextOf(SIGHTLINE_TEST_MODELS "/dtop_seeded"); }

TEST(ModelConfigTest, ReadsEveryZooEntry) {
  for (const char* name : {"dtop_r50_vit_b", "dtop_vit_b", "dtop_tiny"}) {
    const auto config = ParseModelConfig(Text(name));
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->name, name);
    EXPECT_FALSE(config->provenance.empty());
  }
  const auto tiny = ParseModelConfig(Text("dtop_tiny"));
  EXPECT_LT(tiny->parameters(), 8'000'000);
  EXPECT_EQ(std::get<HybridVitConfig>(tiny->backbone).encoder.dim, 192);
  EXPECT_EQ(std::get<HybridVitConfig>(tiny->backbone).encoder.depth, 12);
  EXPECT_EQ(std::get<HybridVitConfig>(tiny->backbone).encoder.heads, 3);
  EXPECT_EQ(std::get<DtopConfig>(tiny->head).layers, 6);
  EXPECT_EQ(DescriptorDim(tiny->backbone, tiny->head), 256);
  const auto base = ParseModelConfig(Text("dtop_r50_vit_b"));
  EXPECT_EQ(DescriptorDim(base->backbone, base->head), 1536);
}

TEST(ModelConfigTest, TokensSayTheirPrecisionOnlyWhereItIsNotInt8) {
  json root = json::parse(SeededText());
  const auto plain = ParseModelConfig(root.dump());
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->tokens.precision, TokenPrecision::kInt8);
  EXPECT_FALSE(ToJson(plain->tokens).contains("precision"));
  root["tokens"]["precision"] = "int8";
  EXPECT_EQ(ToJson(ParseModelConfig(root.dump())->tokens), ToJson(plain->tokens));
  root["tokens"]["precision"] = "float16";
  const auto half = ParseModelConfig(root.dump());
  EXPECT_EQ(half->tokens.precision, TokenPrecision::kFloat16);
  EXPECT_EQ(ToJson(half->tokens)["precision"], "float16");
  root["tokens"]["precision"] = "float32";
  EXPECT_EQ(ParseModelConfig(root.dump())->tokens.precision, TokenPrecision::kFloat32);
}

TEST(ModelConfigTest, CanonicalFormSpellsOutDefaults) {
  const auto written = ParseBackbone({{"type", "vit"}, {"dim", 768}, {"depth", 12}, {"heads", 12}, {"patch", 16}});
  const auto defaulted = ParseBackbone({{"type", "vit"}});
  ASSERT_TRUE(written.ok() && defaulted.ok());
  EXPECT_EQ(ToJson(*written), ToJson(*defaulted));
  EXPECT_EQ(ToJson(*ParseBackbone(ToJson(*written))), ToJson(*written));
}

struct Edit {
  const char* path;
  json value;
  const char* says;
};

TEST(ModelConfigTest, RefusesWrongValuesNamingTheField) {
  const std::vector<Edit> edits = {
      {"/format", 2, "\"format\" is \"2\""},
      {"/name", "", "\"name\" must not be empty"},
      {"/name", 5, "\"name\" must be a string"},
      {"/name", std::string(65, 'n'), "64 bytes"},
      {"/seed", -1, "\"seed\""},
      {"/surprise", 1, "\"surprise\" is not a known field"},
      {"/backbone", 7, "\"backbone\" must be an object"},
      {"/backbone/type", "resnext", "must be one of: vit, hybrid_vit, resnet, vgg, swin, cvt"},
      {"/backbone/dim", 100, "\"backbone.dim\" must be a multiple of heads"},
      {"/backbone/dim", 1e9, "\"backbone.dim\""},
      {"/backbone/dim", "192", "\"backbone.dim\""},
      {"/backbone/dim", 192.5, "\"backbone.dim\""},
      {"/backbone/depth", 0, "whole number from 1 to 64"},
      {"/backbone/depth", UINT64_MAX, "\"backbone.depth\""},
      {"/backbone/groups", 3, "must be a multiple of groups"},
      {"/backbone/stages", json::array(), "\"backbone.stages\""},
      {"/backbone/stages/0/channels", 0, "\"backbone.stages[0].channels\""},
      {"/backbone/stages/1/stride", 3, "\"backbone.stages[1].stride\""},
      {"/backbone/stages/1/extra", 3, "\"backbone.stages[1].extra\" is not a known field"},
      {"/backbone/patch", 16, "\"backbone.patch\" is not a known field"},
      {"/head/layers", 13, "head.layers is 13; the backbone has 12 blocks"},
      {"/head/fuse", "max", "must be one of: sum, fast_norm, softmax"},
      {"/preprocess/version", 2, "\"preprocess.version\""},
      {"/preprocess/filter", "nearest", "\"preprocess.filter\""},
      {"/preprocess/merge", "max", "\"preprocess.merge\""},
      {"/preprocess/merge", "power", "the head dtop does not end with GeM"},
      {"/preprocess/mean", {0.5, 0.5}, "list of 3 to 3"},
      {"/preprocess/std", {0.5, 0, 0.5}, "\"preprocess.std\""},
      {"/preprocess/scales", json::array(), "\"preprocess.scales\""},
      {"/preprocess/scales", {1, "2"}, "\"preprocess.scales\" must hold numbers"},
      {"/preprocess/image_size", 4000, ""},
      {"/preprocess/image_size", 100'000, "\"preprocess.image_size\""},
      {"/preprocess/enlarge", 1, "true or false"},
      {"/preprocess/size_multiple", 0, "\"preprocess.size_multiple\""},
      {"/preprocess/aspect_ratios", {0.0}, "\"preprocess.aspect_ratios\""},
      {"/tokens/dim", 193, "at most the backbone's dim, 192"},
      {"/tokens/importance", "entropy", "\"tokens.importance\""},
      {"/tokens/precision", "int4", "\"tokens.precision\""},
      {"/rerank", 1, "\"rerank\""},
      {"/rerank", {{"method", "on"}}, "\"rerank.method\""},
      {"/rerank", {{"shortlist", 10}}, "\"rerank.shortlist\""},
      {"/rerank", {{"mass", 0}}, "\"rerank.mass\" must be above 0"},
      {"/rerank", {{"mass", 1.5}}, "\"rerank.mass\" is \"1.5\"; it must be a number from 0 to 1"},
      {"/rerank", {{"epsilon", 0}}, "\"rerank.epsilon\""},
      {"/rerank", {{"marginals", "rollout"}}, "\"rerank.marginals\""},
      {"/rerank", {{"temperature", "hot"}}, "\"rerank.temperature\""},
      {"/rerank", {{"weight", -1}}, "\"rerank.weight\""},
      {"/tokens/projection/type", "pca", "\"tokens.projection.type\""},
      {"/tokens/projection/seed", "x", "\"tokens.projection.seed\""},
  };
  for (const Edit& edit : edits) {
    json config = json::parse(SeededText());
    config[json::json_pointer(edit.path)] = edit.value;
    const auto parsed = ParseModelConfig(config.dump());
    if (std::string(edit.says).empty()) {
      EXPECT_TRUE(parsed.ok()) << edit.path << " " << parsed.status();
      continue;
    }
    ASSERT_FALSE(parsed.ok()) << edit.path << " = " << edit.value;
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(base::GetErrorInfo(parsed.status()).reason, "INVALID_MODEL_CONFIG");
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(edit.says)) << edit.path;
  }
}

TEST(ModelConfigTest, SizesOfOneKindAreWrittenOnlyWhereTheyAre) {
  json config = json::parse(SeededText());
  const json before = ToJson(ParseModelConfig(config.dump())->preprocess);
  EXPECT_FALSE(before.contains("mode")) << "a space that exists must not move";
  config["preprocess"]["mode"] = "fit";
  EXPECT_EQ(ToJson(ParseModelConfig(config.dump())->preprocess), before);
  config["preprocess"]["mode"] = "squash";
  EXPECT_THAT(std::string(ParseModelConfig(config.dump()).status().message()), HasSubstr("must be empty"));
  config["preprocess"]["aspect_ratios"] = json::array();
  EXPECT_EQ(ToJson(ParseModelConfig(config.dump())->preprocess)["mode"], "squash");
  config["preprocess"]["short_side"] = 248;
  EXPECT_THAT(std::string(ParseModelConfig(config.dump()).status().message()), HasSubstr("not a known field"));
  config["preprocess"]["mode"] = "centre_crop";
  EXPECT_EQ(ToJson(ParseModelConfig(config.dump())->preprocess)["short_side"], 248);
  config["preprocess"]["short_side"] = 223;
  EXPECT_THAT(std::string(ParseModelConfig(config.dump()).status().message()), HasSubstr("\"preprocess.short_side\""));
  config["preprocess"].erase("short_side");
  EXPECT_FALSE(ParseModelConfig(config.dump()).ok());
  config["preprocess"]["mode"] = "stretch";
  EXPECT_THAT(std::string(ParseModelConfig(config.dump()).status().message()), HasSubstr("fit, squash, centre_crop"));
}

TEST(ModelConfigTest, ReadsWhereWeightsAreFrom) {
  json config = json::parse(SeededText());
  config["source"] = {{"file", "a.pth"}, {"sha256", "00"}, {"format", "PyTorch zip"}, {"names", "timm"}};
  config["seeded"] = {"dtop"};
  const auto parsed = ParseModelConfig(config.dump());
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->source->file, "a.pth");
  EXPECT_EQ(parsed->seeded, std::vector<std::string>{"dtop"});
  config["seeded"] = {1};
  EXPECT_FALSE(ParseModelConfig(config.dump()).ok());
  config.erase("seeded");
  config["source"]["colour"] = "red";
  EXPECT_THAT(std::string(ParseModelConfig(config.dump()).status().message()), HasSubstr("\"source.colour\""));
}

TEST(ModelConfigTest, RefusesEveryMissingRequiredField) {
  const json whole = json::parse(SeededText());
  for (const char* field : {"format", "name", "provenance", "backbone", "head", "preprocess", "tokens"}) {
    json config = whole;
    config.erase(field);
    const auto parsed = ParseModelConfig(config.dump());
    ASSERT_FALSE(parsed.ok()) << field;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr("is missing"));
  }
}

TEST(ModelConfigTest, RefusesArchitecturesBeyondTheBudget) {
  json config = json::parse(Text("dtop_vit_b"));
  config["backbone"]["dim"] = 4096;
  config["backbone"]["heads"] = 64;
  config["backbone"]["depth"] = 64;
  const auto parsed = ParseModelConfig(config.dump());
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(base::GetErrorInfo(parsed.status()).reason, "MODEL_TOO_LARGE");
}

TEST(ModelConfigTest, PlainVitNeedsSidesThatArePatches) {
  json config = json::parse(Text("dtop_vit_b"));
  config["preprocess"]["size_multiple"] = 8;
  EXPECT_FALSE(ParseModelConfig(config.dump()).ok());
}

TEST(ModelConfigTest, SurvivesDamagedText) {
  const unsigned seed = 11;
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  const std::string text = SeededText();
  for (int i = 0; i < 3'000; ++i) {
    std::string damaged = text;
    for (unsigned changes = 1 + random() % 3; changes > 0; --changes) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    if (i % 3 == 0) damaged.resize(random() % damaged.size());
    const auto parsed = ParseModelConfig(damaged);
    if (!parsed.ok()) {
      EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
    }
  }
  EXPECT_FALSE(ParseModelConfig("").ok());
  EXPECT_FALSE(ParseModelConfig("null").ok());
  EXPECT_FALSE(ParseModelConfig("{\"format\":1,\"format\":1}").ok());
  EXPECT_FALSE(ParseModelConfig(std::string(2 << 20, ' ')).ok());
}

}  // namespace
}  // namespace sightline::model
