// Heads in model.json: what they default to, what they refuse, how many parameters they have.
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

// ResNet-101 as heads see it.
BackboneFacts Resnet() { return {.dim = 2048, .maps = {256, 512, 1024, 2048}, .stride = 32}; }

HeadConfig Head(const json& value) {
  const auto head = ParseHead(value);
  EXPECT_TRUE(head.ok()) << value << head.status();
  return head.ok() ? *head : HeadConfig();
}

int64_t Parameters(const json& value) {
  return std::visit([](const auto& one) { return one.parameters(Resnet()); }, Head(value));
}

int Dim(const json& value) {
  return std::visit([](const auto& one) { return one.descriptor_dim(Resnet()); }, Head(value));
}

TEST(HeadConfigTest, EveryKindHasDefaultsAndAStableCanonicalForm) {
  for (const char* type : {"dtop", "gap", "spoc", "mac", "crow", "rmac", "gem", "delg", "solar", "cls", "irt", "linear",
                           "diml", "glam", "netvlad", "dolg"}) {
    const HeadConfig head = Head({{"type", type}});
    EXPECT_EQ(TypeName(head), type);
    const json canonical = ToJson(head);
    EXPECT_EQ(canonical["type"], type);
    EXPECT_EQ(ToJson(Head(canonical)), canonical) << type;
  }
}

// What decides the spaces of models that exist must not move.
TEST(HeadConfigTest, TheCanonicalFormOfDtopIsWhatItWas) {
  EXPECT_EQ(ToJson(Head({{"type", "dtop"}})).dump(),
            R"({"aspp_dim":256,"dim":1536,"expand":2,"fuse":"fast_norm","layers":6,"type":"dtop"})");
  EXPECT_EQ(ToJson(Head({{"type", "dtop"}, {"global", true}, {"local", true}, {"elm", true}})),
            ToJson(Head({{"type", "dtop"}})));
  EXPECT_EQ(ToJson(Head({{"type", "dtop"}, {"elm", false}})).dump(),
            R"({"dim":1536,"elm":false,"layers":6,"type":"dtop"})");
  EXPECT_EQ(ToJson(Head({{"type", "dtop"}, {"global", false}, {"local", false}})).dump(),
            R"({"global":false,"local":false,"type":"dtop"})");
}

TEST(HeadConfigTest, TheFcStageIsWrittenOut) {
  EXPECT_EQ(ToJson(Head({{"type", "gem"}, {"fc", {{"dim", 512}}}})).dump(),
            R"({"fc":{"bias":true,"bn":false,"dim":512,"l2_before":false},"type":"gem"})");
  EXPECT_EQ(ToJson(Head({{"type", "gem"}})).dump(), R"({"type":"gem"})");
  EXPECT_EQ(ToJson(Head({{"type", "gem"}, {"p", 3}})).dump(), R"({"p":3.0,"type":"gem"})");
}

TEST(HeadConfigTest, CountsParameters) {
  EXPECT_EQ(Parameters({{"type", "gap"}}), 0);
  EXPECT_EQ(Parameters({{"type", "gem"}}), 1);
  EXPECT_EQ(Parameters({{"type", "gem"}, {"p", 3}}), 0);
  EXPECT_EQ(Parameters({{"type", "gem"}, {"fc", {{"dim", 2048}, {"l2_before", true}}}}), 1 + 2048 * 2048 + 2048);
  EXPECT_EQ(Parameters({{"type", "solar"}}), 1 + 2048 * 2048 + 2048);
  EXPECT_EQ(Parameters({{"type", "delg"}}), 2048 * 2048 + 2048);
  EXPECT_EQ(Parameters({{"type", "diml"}}), 2048 * 128 + 128);
  EXPECT_EQ(Parameters({{"type", "netvlad"}}), 2 * 64 * 2048);
  EXPECT_EQ(Dim({{"type", "netvlad"}}), 64 * 2048);
  EXPECT_EQ(Dim({{"type", "netvlad"}, {"wpca", 4096}}), 4096);
  EXPECT_EQ(Dim({{"type", "gap"}}), 2048);
  EXPECT_EQ(Dim({{"type", "glam"}}), 512);
  const int64_t dolg = 2 * (1024 * 512 + 512) + 3 * (9 * 1024 * 512 + 512) + (2560 * 1024 + 1024) +
                       (1024 * 1024 + 1024) + 2 * 1024 + (1024 + 1) + 1 + (2048 * 1024 + 1024) + (2048 * 512 + 512);
  EXPECT_EQ(Parameters({{"type", "dolg"}}), dolg);
  const int64_t glam = 3 + (2048 * 256 + 256) + (256 * 256 + 256) + 3 * (9 * 256 * 256 + 256) + (4 * 256 + 1) + 6 +
                       3 * (2048 * 256 + 256) + (256 * 2048 + 2048) + 3 + 1 + (2048 * 512 + 512) + 2 * 512;
  EXPECT_EQ(Parameters({{"type", "glam"}}), glam);
}

TEST(HeadConfigTest, SaysWhatAHeadNeeds) {
  EXPECT_TRUE(Facts(Head({{"type", "cls"}})).class_token);
  EXPECT_TRUE(Facts(Head({{"type", "irt"}})).class_token);
  EXPECT_FALSE(Facts(Head({{"type", "linear"}})).class_token);
  EXPECT_EQ(Facts(Head({{"type", "linear"}})).token_dim, 128);
  EXPECT_EQ(Facts(Head({{"type", "diml"}, {"dim", 64}})).token_dim, 64);
  EXPECT_EQ(Facts(Head({{"type", "dolg"}})).maps, 2);
  EXPECT_FALSE(Facts(Head({{"type", "dtop"}, {"global", false}})).class_token);
  EXPECT_EQ(Facts(Head({{"type", "dtop"}, {"global", false}, {"local", false}})).layers, 1);
  // A transformer has one map.
  const BackboneConfig vit = VitConfig{};
  EXPECT_THAT(std::string(CheckTogether(vit, Head({{"type", "dolg"}})).message()), HasSubstr("reads the last 2 maps"));
  for (const char* type : {"gem", "rmac", "glam", "netvlad", "linear", "diml", "cls"}) {
    EXPECT_TRUE(CheckTogether(vit, Head({{"type", type}})).ok()) << type;
  }
}

struct Refusal {
  json head;
  const char* says;
};

TEST(HeadConfigTest, RefusesWrongValuesNamingTheField) {
  const std::vector<Refusal> refusals = {
      {{{"type", "gem"}, {"p", 0}}, "\"head.p\""},
      {{{"type", "gem"}, {"p", -3}}, "\"head.p\""},
      {{{"type", "gem"}, {"p", 1e9}}, "\"head.p\""},
      {{{"type", "gem"}, {"p", "learned"}}, "\"head.p\""},
      {{{"type", "gem"}, {"p", nullptr}}, "\"head.p\""},
      {{{"type", "gap"}, {"p", 3}}, "\"head.p\" is not a known field"},
      {{{"type", "mac"}, {"levels", 3}}, "\"head.levels\" is not a known field"},
      {{{"type", "rmac"}, {"levels", 0}}, "\"head.levels\""},
      {{{"type", "rmac"}, {"levels", 9}}, "\"head.levels\""},
      {{{"type", "spoc"}, {"centre_prior", 1}}, "\"head.centre_prior\" must be true or false"},
      {{{"type", "gem"}, {"fc", 512}}, "\"head.fc\" must be an object"},
      {{{"type", "gem"}, {"fc", json::object()}}, "\"head.fc.dim\" is missing"},
      {{{"type", "gem"}, {"fc", {{"dim", 0}}}}, "\"head.fc.dim\""},
      {{{"type", "gem"}, {"fc", {{"dim", 1e6}}}}, "\"head.fc.dim\""},
      {{{"type", "gem"}, {"fc", {{"dim", 8}, {"dropout", 0.1}}}}, "\"head.fc.dropout\" is not a known field"},
      {{{"type", "cls"}, {"fc", {{"dim", 8}, {"bn", "yes"}}}}, "\"head.fc.bn\" must be true or false"},
      {{{"type", "linear"}, {"dim", 0}}, "\"head.dim\""},
      {{{"type", "diml"}, {"dim", 9000}}, "\"head.dim\""},
      {{{"type", "delg"}, {"dim", -1}}, "\"head.dim\""},
      {{{"type", "solar"}, {"p", 3}}, "\"head.p\" is not a known field"},
      {{{"type", "glam"}, {"reduction", 0}}, "\"head.reduction\""},
      {{{"type", "glam"}, {"local_channel", 0}}, "\"head.local_channel\" must be true or false"},
      {{{"type", "netvlad"}, {"clusters", 0}}, "\"head.clusters\""},
      {{{"type", "netvlad"}, {"clusters", UINT64_MAX}}, "\"head.clusters\""},
      {{{"type", "netvlad"}, {"wpca", 0}}, "\"head.wpca\""},
      {{{"type", "dolg"}, {"hidden", 5000}}, "\"head.hidden\""},
      {{{"type", "dtop"}, {"local", false}, {"elm", true}}, "\"head.elm\" must not be true"},
      {{{"type", "dtop"}, {"elm", false}, {"fuse", "sum"}}, "\"head.fuse\" must not be given"},
      {{{"type", "dtop"}, {"local", false}, {"aspp_dim", 8}}, "\"head.aspp_dim\" must not be given"},
      {{{"type", "dtop"}, {"global", false}, {"local", false}, {"dim", 8}}, "\"head.dim\" must not be given"},
      {{{"type", "vlad"}}, "must be one of: dtop, gap"},
  };
  for (const Refusal& refusal : refusals) {
    const auto parsed = ParseHead(refusal.head);
    ASSERT_FALSE(parsed.ok()) << refusal.head;
    EXPECT_EQ(base::GetErrorInfo(parsed.status()).reason, "INVALID_MODEL_CONFIG");
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(refusal.says)) << refusal.head;
  }
}

json SmallModel() {
  return {{"format", 1},
          {"name", "small"},
          {"provenance", "none"},
          {"backbone", {{"type", "vit"}, {"dim", 32}, {"depth", 2}, {"heads", 2}, {"patch", 16}}},
          {"head", {{"type", "gem"}, {"fc", {{"dim", 24}}}}},
          {"preprocess",
           {{"version", 1},
            {"image_size", 64},
            {"filter", "bicubic"},
            {"mean", {0.5, 0.5, 0.5}},
            {"std", {0.5, 0.5, 0.5}},
            {"aspect_ratios", json::array()},
            {"scales", {1}}}},
          {"tokens",
           {{"dim", 8}, {"projection", {{"type", "orthonormal"}, {"seed", 1}}}, {"importance", "cls_attention"}}}};
}

TEST(ScaleMergeTest, PowersNeedAHeadThatEndsWithGem) {
  json model = SmallModel();
  model["preprocess"]["merge"] = "power";
  EXPECT_THAT(std::string(ParseModelConfig(model.dump()).status().message()), HasSubstr("a head gem without fc"));
  model["head"].erase("fc");
  const auto parsed = ParseModelConfig(model.dump());
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->preprocess.merge, ScaleMerge::kPower);
  EXPECT_EQ(ToJson(parsed->preprocess)["merge"], "power");
}

TEST(WhiteningConfigTest, EndsTheModel) {
  json model = SmallModel();
  const auto plain = ParseModelConfig(model.dump());
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->descriptor_dim(), 24);
  model["whitening"] = {{"dim", 10}};
  const auto whitened = ParseModelConfig(model.dump());
  ASSERT_TRUE(whitened.ok()) << whitened.status();
  EXPECT_EQ(whitened->descriptor_dim(), 10);
  EXPECT_EQ(whitened->parameters() - plain->parameters(), 24 + 10 * 24);
}

TEST(WhiteningConfigTest, RefusesWhatTheHeadDoesNotGive) {
  for (const json& value :
       std::vector<json>{{{"dim", 25}}, {{"dim", 0}}, {{"dim", 8}, {"mean", 1}}, json::object(), 7}) {
    json model = SmallModel();
    model["whitening"] = value;
    const auto parsed = ParseModelConfig(model.dump());
    ASSERT_FALSE(parsed.ok()) << value;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr("whitening")) << value;
  }
  // A matrix of the size of a hundred models.
  json model = SmallModel();
  model["head"] = {{"type", "netvlad"}, {"clusters", 256}};
  model["backbone"]["dim"] = 4096;
  model["whitening"] = {{"dim", 1'000'000}};
  EXPECT_EQ(base::GetErrorInfo(ParseModelConfig(model.dump()).status()).reason, "MODEL_TOO_LARGE");
}

}  // namespace
}  // namespace sightline::model
