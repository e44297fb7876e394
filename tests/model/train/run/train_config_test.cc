#include "model/train/run/train_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/status.h"

namespace sightline::train {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json Good() {
  return {{"model", "dtop_tiny"}, {"data", {{"root", "photos"}}}, {"loss", {{"kind", "arcface"}}}, {"steps", 10}};
}

std::string Refusal(const json& config) {
  const auto parsed = ParseTrainConfig(config.dump(), "run.json");
  EXPECT_FALSE(parsed.ok()) << config;
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(parsed.status().message());
}

json With(const std::string& pointer, const json& value) {
  json config = Good();
  config[json::json_pointer(pointer)] = value;
  return config;
}

TEST(TrainConfigTest, AShortConfigurationHasDefaults) {
  const auto config = ParseTrainConfig(Good().dump(), "run.json");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->steps, 10);
  EXPECT_EQ(config->ema, 0);
  EXPECT_EQ(config->optimiser.kind, OptimiserKind::kAdamw);
  EXPECT_FALSE(config->validation.has_value());
}

TEST(TrainConfigTest, PartsOfTheOptimiserHaveDefaultsOfTheirOwn) {
  const auto config = ParseTrainConfig(With("/optimiser", {{"weight_decay", 0.1}}).dump(), "run.json");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->optimiser.kind, OptimiserKind::kAdamw);
  EXPECT_EQ(config->optimiser.lr, 3e-4);
  EXPECT_EQ(config->optimiser.weight_decay, 0.1);
  const auto scheduled = ParseTrainConfig(With("/schedule", {{"warmup_steps", 5}}).dump(), "run.json");
  ASSERT_TRUE(scheduled.ok()) << scheduled.status();
  EXPECT_EQ(scheduled->schedule.kind, ScheduleKind::kCosine);
  EXPECT_EQ(scheduled->schedule.warmup_steps, 5);
}

TEST(TrainConfigTest, WhatIsWrongIsNamedWithTheFile) {
  EXPECT_THAT(Refusal(With("/stepz", 3)), HasSubstr("run.json: \"stepz\" is not a known field. Correct run.json."));
  EXPECT_THAT(Refusal(With("/epochs", 3)), HasSubstr("only one of them"));
  EXPECT_THAT(Refusal(With("/steps", -1)), HasSubstr("steps"));
  EXPECT_THAT(Refusal(With("/steps", 1.5)), HasSubstr("steps"));
  EXPECT_THAT(Refusal(With("/ema", 1)), HasSubstr("ema"));
  EXPECT_THAT(Refusal(With("/model", "")), HasSubstr("model"));
  EXPECT_THAT(Refusal(With("/data", 7)), HasSubstr("data"));
  EXPECT_THAT(Refusal(With("/loss", {{"kind", "none"}})), HasSubstr("distill"));
  EXPECT_THAT(Refusal(With("/early_stop", 2)), HasSubstr("validation"));
  EXPECT_THAT(Refusal(With("/freeze", {1})), HasSubstr("freeze"));
  EXPECT_THAT(Refusal(With("/freeze", {""})), HasSubstr("freeze"));
  EXPECT_THAT(Refusal(With("/lr_scale", {{"a", -1}})), HasSubstr("lr_scale"));
  EXPECT_THAT(Refusal(With("/distill", {{"teacher", "t"}, {"targets", json::array()}})), HasSubstr("distill.targets"));
  EXPECT_THAT(Refusal(With("/distill", {{"teacher", "t"}, {"targets", {{{"kind", "soul"}}}}})),
              HasSubstr("distill.targets[0].kind"));
  EXPECT_THAT(Refusal(With("/distill", {{"teacher", "t"}, {"targets", {{{"kind", "angles"}, {"metric", "cosine"}}}}})),
              HasSubstr("metric"));
  EXPECT_THAT(Refusal(With("/optimiser", {{"kind", "sgd"}, {"lr", 0}})), HasSubstr("optimiser.lr"));
  EXPECT_THAT(Refusal(With("/optimiser", {{"kind", "sgd"}, {"lr", 1}, {"momentum", 0}, {"nesterov", true}})),
              HasSubstr("nesterov"));
  EXPECT_THAT(Refusal(With("/schedule", {{"kind", "cosine"}, {"final_lr", 5}})), HasSubstr("final_lr"));
  EXPECT_THAT(Refusal(With("/validation", {{"protocol", "split"}})), HasSubstr("validation.data"));
  EXPECT_THAT(Refusal(With("/sampler", {{"batch", 0}})), HasSubstr("sampler.batch"));
  const json places = {{"batch", 14}, {"negatives", 5}};
  EXPECT_THAT(Refusal(With("/sampler", places)), HasSubstr("use contrastive, triplet_sos or multi_similarity"));
  json streets = With("/loss", {{"kind", "triplet_sos"}});
  streets["data"]["layout"] = "msls";
  EXPECT_THAT(Refusal(streets), HasSubstr("needs negatives with the layout msls"));
  streets["sampler"] = places;
  EXPECT_TRUE(ParseTrainConfig(streets.dump(), "run.json").ok());
  EXPECT_THAT(Refusal(json::array()), HasSubstr("object"));
}

TEST(TrainConfigTest, HostileTextsAreRefused) {
  const std::string texts[] = {"", "{", "null", "\x00\xff", R"({"model":"a","model":"b"})", std::string(100'000, '[')};
  for (const std::string& text : texts) EXPECT_FALSE(ParseTrainConfig(text, "run.json").ok());
}

TEST(TrainConfigTest, OnlyWhatDecidesTheWeightsDecidesTheDigest) {
  const auto digest = [](const json& config, const TrainOverrides& overrides = {}) {
    const auto parsed = ParseTrainConfig(config.dump(), "run.json", overrides);
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    return parsed.ok() ? parsed->text_sha256 : "";
  };
  EXPECT_EQ(digest(Good()), digest(With("/out", "elsewhere")));
  EXPECT_EQ(digest(Good()), digest(Good(), {.steps = 77, .seed = {}}));
  EXPECT_NE(digest(Good()), digest(With("/seed", 2)));
  EXPECT_EQ(digest(With("/seed", 2)), digest(Good(), {.steps = {}, .seed = 2}));
}

}  // namespace
}  // namespace sightline::train
