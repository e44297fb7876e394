#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "model/train/data/augment_config.h"
#include "model/train/data/dataset_config.h"
#include "model/train/data/sampler_config.h"

namespace sightline::train {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

template <typename Config>
absl::StatusOr<Config> Parse(const json& object) {
  model::Fields fields(object, "part");
  return Config::Parse(fields);
}

template <typename Config>
std::string ErrorOf(const std::string& text) {
  const auto config = Parse<Config>(json::parse(text));
  return config.ok() ? "" : std::string(config.status().message());
}

TEST(DatasetConfigTest, WhatIsWrittenIsReadAgain) {
  DatasetConfig config{.layout = DatasetLayout::kMsls, .root = "msls", .list = "l", .split = "val"};
  config.min_per_class = 3;
  config.max_photos = 1000;
  config.positive_metres = 5;
  config.negative_metres = 6.5;
  const json written = config.ToJson();
  EXPECT_EQ(Parse<DatasetConfig>(written)->ToJson(), written);
  EXPECT_EQ(written["layout"], "msls");
  EXPECT_EQ(written["negative_metres"], 6.5);
  const auto least = Parse<DatasetConfig>({{"layout", "sop"}, {"root", "x"}});
  ASSERT_TRUE(least.ok()) << least.status();
  EXPECT_EQ(least->layout, DatasetLayout::kSop);
  EXPECT_EQ(least->min_per_class, 1);
}

TEST(DatasetConfigTest, WhatIsWrongIsNamed) {
  EXPECT_THAT(ErrorOf<DatasetConfig>(R"({"layout": "folders"})"), HasSubstr("part.root"));
  EXPECT_THAT(ErrorOf<DatasetConfig>(R"({"layout": "zip", "root": "x"})"), HasSubstr("nc_clean"));
  EXPECT_THAT(ErrorOf<DatasetConfig>(R"({"layout": "csv", "root": ""})"), HasSubstr("part.root"));
  EXPECT_THAT(ErrorOf<DatasetConfig>(R"({"layout": "csv", "root": "x", "max_photos": -1})"), HasSubstr("max_photos"));
  EXPECT_THAT(ErrorOf<DatasetConfig>(R"({"layout": "csv", "root": "x", "positive_metres": 30})"),
              HasSubstr("must not be less than positive_metres"));
  EXPECT_THAT(ErrorOf<DatasetConfig>(R"({"layout": "csv", "root": "x", "rot": 1})"), HasSubstr("part.rot"));
}

TEST(SamplerConfigTest, WhatIsWrittenIsReadAgain) {
  SamplerConfig config;
  config.batch = 12;
  config.per_class = 4;
  config.edges = {0.67, 1.5};
  config.sizes = {{512, 352}, {448, 448}, {352, 512}};
  config.batches = 9;
  const json written = config.ToJson();
  const auto read = Parse<SamplerConfig>(written);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->ToJson(), written);
  EXPECT_EQ(read->sizes[0].width, 512);
  EXPECT_EQ(read->sizes[0].height, 352);
  EXPECT_EQ(Parse<SamplerConfig>(json::object())->ToJson(), SamplerConfig().ToJson());
  const auto places = Parse<SamplerConfig>({{"batch", 14}, {"negatives", 5}});
  ASSERT_TRUE(places.ok()) << places.status();
  EXPECT_EQ(places->negatives, 5);
  EXPECT_EQ(Parse<SamplerConfig>(places->ToJson())->negatives, 5);
}

TEST(SamplerConfigTest, WhatIsWrongIsNamed) {
  EXPECT_THAT(ErrorOf<SamplerConfig>(R"({"batch": 10, "per_class": 3})"), HasSubstr("per_class\" must divide batch"));
  EXPECT_THAT(ErrorOf<SamplerConfig>(R"({"edges": [1, 1], "sizes": [[8, 8], [8, 8], [8, 8]]})"),
              HasSubstr("must ascend"));
  EXPECT_THAT(ErrorOf<SamplerConfig>(R"({"edges": [1]})"), HasSubstr("one more than the 1 edges"));
  for (const char* size : {"[8]", "[8, 8, 8]", "8", "[8, 7]", "[8, 8.5]", "[8, 18446744073709551615]", "[8, \"8\"]"}) {
    EXPECT_THAT(ErrorOf<SamplerConfig>(absl::StrCat("{\"sizes\": [", size, "]}")), HasSubstr("pairs [width, height]"))
        << size;
  }
  EXPECT_THAT(ErrorOf<SamplerConfig>(R"({"sizes": []})"), HasSubstr("part.sizes"));
  EXPECT_THAT(ErrorOf<SamplerConfig>(R"({"batch": 0})"), HasSubstr("part.batch"));
  for (const char* groups : {R"({"batch": 15, "negatives": 5})", R"({"batch": 14, "per_class": 2, "negatives": 5})"}) {
    EXPECT_THAT(ErrorOf<SamplerConfig>(groups), HasSubstr("must divide batch, and go without per_class")) << groups;
  }
  EXPECT_THAT(ErrorOf<SamplerConfig>(R"({"batch": 14, "negatives": 5, "edges": [1], "sizes": [[8, 8], [8, 8]]})"),
              HasSubstr("one size, without edges"));
}

TEST(AugmentConfigTest, WhatIsWrittenIsReadAgain) {
  json written = AugmentConfig().ToJson();
  EXPECT_EQ(written.size(), 17u);
  for (auto& [name, value] : written.items()) {
    value = name == "crop_stretch" ? 1.25 : 0.125;
  }
  const auto read = Parse<AugmentConfig>(written);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->ToJson(), written);
  EXPECT_EQ(Parse<AugmentConfig>(json::object())->ToJson(), AugmentConfig().ToJson());
}

TEST(AugmentConfigTest, WhatIsWrongIsNamed) {
  EXPECT_THAT(ErrorOf<AugmentConfig>(R"({"crop_area": 0})"), HasSubstr("part.crop_area"));
  EXPECT_THAT(ErrorOf<AugmentConfig>(R"({"perspective": 0.25})"), HasSubstr("part.perspective"));
  EXPECT_THAT(ErrorOf<AugmentConfig>(R"({"flip": true})"), HasSubstr("part.flip"));
  EXPECT_THAT(ErrorOf<AugmentConfig>(R"({"zoom": 1})"), HasSubstr("part.zoom"));
}

}  // namespace
}  // namespace sightline::train
