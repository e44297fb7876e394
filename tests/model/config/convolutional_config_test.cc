// ResNets and VGGs in model.json: defaults, facts, parameter counts, and what is refused.
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config/model_config.h"

namespace sightline::model {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

BackboneConfig Parsed(const json& value) {
  const auto config = ParseBackbone(value);
  EXPECT_TRUE(config.ok()) << config.status() << value;
  return config.ok() ? *config : BackboneConfig();
}

json ResnetJson(std::vector<int> blocks, const json& more = json::object()) {
  json value = {{"type", "resnet"}, {"blocks", std::move(blocks)}};
  value.update(more);
  return value;
}

TEST(ResnetConfigTest, CountsThePublishedParameters) {
  struct Row {
    json backbone;
    int64_t parameters;  // with a classifier of 1000 classes
  };
  const json basic = {{"block", "basic"}};
  const std::vector<Row> rows = {
      {ResnetJson({2, 2, 2, 2}, basic), 11'689'512}, {ResnetJson({3, 4, 6, 3}, basic), 21'797'672},
      {ResnetJson({3, 4, 6, 3}), 25'557'032},        {ResnetJson({3, 4, 23, 3}), 44'549'160},
      {ResnetJson({3, 8, 36, 3}), 60'192'808},
  };
  for (const Row& row : rows) {
    const BackboneConfig config = Parsed(row.backbone);
    EXPECT_EQ(CountParameters(config) + (Facts(config).dim + 1) * 1000, row.parameters) << row.backbone;
  }
  EXPECT_EQ(CountParameters(Parsed(ResnetJson({3, 4, 23, 3}))), 42'500'160);
}

TEST(ResnetConfigTest, CountsSecondOrderAttention) {
  // f and g: a 1x1 convolution with bias and a norm; h: a 1x1 convolution; v: one back.
  const auto block = [](int64_t c, int64_t m) { return 2 * (c * m + m + 2 * m) + (c * m + m) + (m * c + c); };
  const int64_t plain = CountParameters(Parsed(ResnetJson({3, 4, 23, 3})));
  const json solar = {{"soa4", 256}, {"soa5", 1024}};
  EXPECT_EQ(CountParameters(Parsed(ResnetJson({3, 4, 23, 3}, solar))) - plain, block(1024, 256) + block(2048, 1024));
  EXPECT_EQ(CountParameters(Parsed(ResnetJson({3, 4, 23, 3}, {{"soa5", 7}}))) - plain, block(2048, 7));
}

TEST(ResnetConfigTest, SaysWhatItGives) {
  const BackboneFacts facts = Facts(Parsed(ResnetJson({3, 4, 6, 3})));
  EXPECT_EQ(facts.dim, 2048);
  EXPECT_THAT(facts.maps, ElementsAre(256, 512, 1024, 2048));
  EXPECT_EQ(facts.stride, 32);
  EXPECT_EQ(facts.layers, 0);
  EXPECT_FALSE(facts.class_token);
  EXPECT_FALSE(facts.whole_cells);
  EXPECT_EQ(Facts(Parsed(ResnetJson({3, 4, 6, 3}, {{"last_stride", 1}}))).stride, 16);

  const BackboneFacts trunk = Facts(Parsed(ResnetJson({3, 4, 6})));
  EXPECT_EQ(trunk.dim, 1024);
  EXPECT_EQ(trunk.stride, 16);
  const BackboneFacts basic = Facts(Parsed(ResnetJson({2, 2}, {{"block", "basic"}, {"width", 20}})));
  EXPECT_THAT(basic.maps, ElementsAre(20, 40));
  EXPECT_EQ(basic.stride, 8);
}

TEST(ResnetConfigTest, CanonicalFormSpellsOutDefaultsAndReadsBack) {
  const json defaults = ToJson(Parsed({{"type", "resnet"}}));
  EXPECT_EQ(defaults, json({{"type", "resnet"},
                            {"block", "bottleneck"},
                            {"blocks", {3, 4, 6, 3}},
                            {"width", 64},
                            {"stride_on", "3x3"},
                            {"channel_order", "rgb"},
                            {"last_stride", 2},
                            {"soa4", 0},
                            {"soa5", 0}}));
  const json other = {{"type", "resnet"},   {"block", "bottleneck"},  {"blocks", {1, 2, 3, 4}}, {"width", 16},
                      {"stride_on", "1x1"}, {"channel_order", "bgr"}, {"last_stride", 1},       {"soa4", 5},
                      {"soa5", 6}};
  EXPECT_EQ(ToJson(Parsed(other)), other);
}

TEST(VggConfigTest, CountsThePublishedParameters) {
  EXPECT_EQ(CountParameters(Parsed({{"type", "vgg"}})), 14'714'688);
  // With the classifier: 25088 -> 4096 -> 4096 -> 1000.
  const auto with_classifier = [](const json& backbone) {
    return CountParameters(Parsed(backbone)) + 25'089LL * 4096 + 4097LL * 4096 + 4097LL * 1000;
  };
  EXPECT_EQ(with_classifier({{"type", "vgg"}}), 138'357'544);
  EXPECT_EQ(with_classifier({{"type", "vgg"}, {"convs", {1, 1, 2, 2, 2}}}), 132'863'336);
  EXPECT_EQ(with_classifier({{"type", "vgg"}, {"convs", {2, 2, 4, 4, 4}}}), 143'667'240);
}

TEST(VggConfigTest, SaysWhatItGives) {
  for (const auto& [end, stride] : std::vector<std::pair<std::string, int>>{{"conv", 16}, {"relu", 16}, {"pool", 32}}) {
    const BackboneFacts facts = Facts(Parsed({{"type", "vgg"}, {"end", end}}));
    EXPECT_EQ(facts.dim, 512);
    EXPECT_THAT(facts.maps, ElementsAre(512));
    EXPECT_EQ(facts.stride, stride) << end;
    EXPECT_FALSE(facts.whole_cells);
  }
  EXPECT_EQ(ToJson(Parsed({{"type", "vgg"}})),
            json({{"type", "vgg"}, {"convs", {2, 2, 3, 3, 3}}, {"width", 64}, {"end", "relu"}}));
}

TEST(ConvolutionalConfigTest, RefusesWrongValuesNamingTheField) {
  struct Bad {
    const char* type;
    const char* field;
    json value;
    const char* says;
  };
  const std::vector<Bad> bad = {
      {"resnet", "block", "wide", "must be one of: basic, bottleneck"},
      {"resnet", "block", 1, "\"backbone.block\""},
      {"resnet", "blocks", json::array(), "list of 1 to 4"},
      {"resnet", "blocks", {1, 1, 1, 1, 1}, "list of 1 to 4"},
      {"resnet", "blocks", {3, 0, 6, 3}, "\"backbone.blocks\" must hold whole numbers from 1 to 128"},
      {"resnet", "blocks", {3, 129, 6, 3}, "\"backbone.blocks\""},
      {"resnet", "blocks", {3, -4, 6, 3}, "\"backbone.blocks\""},
      {"resnet", "blocks", {3, 4.5, 6, 3}, "\"backbone.blocks\""},
      {"resnet", "blocks", {3, 4.0, 6, 3}, "\"backbone.blocks\""},
      {"resnet", "blocks", {3, "4", 6, 3}, "\"backbone.blocks\""},
      {"resnet", "blocks", {3, UINT64_MAX, 6, 3}, "\"backbone.blocks\""},
      {"resnet", "blocks", {3, INT64_MIN, 6, 3}, "\"backbone.blocks\""},
      {"resnet", "blocks", 50, "\"backbone.blocks\""},
      {"resnet", "blocks", nullptr, "\"backbone.blocks\""},
      {"resnet", "width", 0, "\"backbone.width\""},
      {"resnet", "width", 513, "\"backbone.width\""},
      {"resnet", "stride_on", "7x7", "must be one of: 3x3, 1x1"},
      {"resnet", "channel_order", "RGB", "must be one of: rgb, bgr"},
      {"resnet", "last_stride", 0, "\"backbone.last_stride\""},
      {"resnet", "last_stride", 3, "\"backbone.last_stride\""},
      {"resnet", "soa4", -1, "\"backbone.soa4\""},
      {"resnet", "soa5", 4097, "\"backbone.soa5\""},
      {"resnet", "groups", 32, "\"backbone.groups\" is not a known field"},
      {"vgg", "convs", {2, 2, 3, 3, 3, 3}, "list of 1 to 5"},
      {"vgg", "convs", {2, 2, 17, 3, 3}, "\"backbone.convs\" must hold whole numbers from 1 to 16"},
      {"vgg", "width", 1e3, "\"backbone.width\""},
      {"vgg", "end", "relu5_3", "must be one of: conv, relu, pool"},
      {"vgg", "blocks", {2}, "\"backbone.blocks\" is not a known field"},
  };
  for (const Bad& one : bad) {
    const auto parsed = ParseBackbone({{"type", one.type}, {one.field, one.value}});
    ASSERT_FALSE(parsed.ok()) << one.field << " = " << one.value;
    EXPECT_EQ(base::GetErrorInfo(parsed.status()).reason, "INVALID_MODEL_CONFIG");
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(one.says)) << one.field << " = " << one.value;
  }
}

TEST(ConvolutionalConfigTest, RefusesWhatTheStagesDoNotHave) {
  const std::vector<std::pair<json, std::string>> bad = {
      {ResnetJson({1, 1, 1, 1}, {{"block", "basic"}, {"stride_on", "1x1"}}), "basic blocks have no 1x1"},
      {ResnetJson({1, 1, 1}, {{"last_stride", 1}}), "\"backbone.last_stride\" is of the fourth stage"},
      {ResnetJson({1, 1, 1}, {{"soa5", 8}}), "\"backbone.soa5\" is behind the fourth stage"},
      {ResnetJson({1, 1}, {{"soa4", 8}}), "\"backbone.soa4\" is behind the third stage"},
  };
  for (const auto& [value, says] : bad) {
    const auto parsed = ParseBackbone(value);
    ASSERT_FALSE(parsed.ok()) << value;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(says)) << value;
  }
  EXPECT_TRUE(ParseBackbone(ResnetJson({1, 1, 1}, {{"soa4", 8}})).ok());
}

TEST(ConvolutionalConfigTest, TheLargestCountsAreExact) {
  // Far beyond the budget, which refuses them; what counts is that no count wraps on the way.
  EXPECT_GT(CountParameters(Parsed(ResnetJson({128, 128, 128, 128}, {{"width", 512}, {"soa4", 4096}, {"soa5", 4096}}))),
            10'000'000'000);
  EXPECT_GT(CountParameters(Parsed({{"type", "vgg"}, {"convs", {16, 16, 16, 16, 16}}, {"width", 512}})),
            kMaxParameters);
}

TEST(ConvolutionalConfigTest, SurvivesRandomValues) {
  const unsigned seed = 23;
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  const std::vector<json> values = {
      0,     1,       -1, 2,      4,         1e300,         -0.5,           true,       nullptr,  "3x3",
      "bgr", "basic", "", {3, 4}, {2, 2, 2}, json::array(), json::object(), UINT64_MAX, INT64_MIN};
  const std::vector<std::string> fields = {"block",       "blocks", "width", "stride_on", "channel_order",
                                           "last_stride", "soa4",   "soa5",  "convs",     "end"};
  int accepted = 0;
  for (int i = 0; i < 5'000; ++i) {
    json value = {{"type", random() % 2 == 0 ? "resnet" : "vgg"}};
    for (unsigned n = random() % 3; n > 0; --n)
      value[fields[random() % fields.size()]] = values[random() % values.size()];
    const auto parsed = ParseBackbone(value);
    if (parsed.ok()) {
      ++accepted;
      EXPECT_GT(Facts(*parsed).dim, 0);
      EXPECT_EQ(Facts(*parsed).maps.back(), Facts(*parsed).dim);
      EXPECT_GT(CountParameters(*parsed), 0);
      EXPECT_EQ(ToJson(*ParseBackbone(ToJson(*parsed))), ToJson(*parsed));
    } else {
      EXPECT_EQ(base::GetErrorInfo(parsed.status()).reason, "INVALID_MODEL_CONFIG") << value;
    }
  }
  EXPECT_GT(accepted, 500);
}

}  // namespace
}  // namespace sightline::model
