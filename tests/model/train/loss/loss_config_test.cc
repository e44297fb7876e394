// Which configurations of losses are read, and how others are refused.
#include "model/train/loss/loss_config.h"

#include <string>
#include <vector>

#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sightline::train {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

template <typename Config>
absl::StatusOr<Config> Read(const json& object, const char* path) {
  model::Fields fields(object, path);
  return Config::Parse(fields);
}

absl::StatusOr<LossConfig> ReadLoss(const json& object) { return Read<LossConfig>(object, "loss"); }

TEST(LossConfigTest, GoesThroughJsonUnchanged) {
  const std::vector<json> objects = {
      {{"kind", "none"}},
      {{"kind", "arcface"}, {"margin", 0.5}, {"scale", 64.0}, {"sub_centres", 3}},
      {{"kind", "contrastive"}, {"margin", 0.85}},
      {{"kind", "triplet_sos"}, {"margin", 0.5}, {"sos_weight", 0.0}},
      {{"kind", "margin"}, {"margin", 0.1}, {"beta", 1.2}},
      {{"kind", "multi_similarity"}, {"alpha", 3.0}, {"beta", 40.0}, {"base", 0.25}, {"epsilon", 0.0}}};
  for (const json& object : objects) {
    const auto config = ReadLoss(object);
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->ToJson(), object);
  }
}

TEST(LossConfigTest, EachLossHasItsPublishedMargin) {
  const std::vector<std::pair<std::string, double>> margins = {
      {"arcface", 0.3}, {"contrastive", 0.7}, {"triplet_sos", 1.25}, {"margin", 0.2}};
  for (const auto& [kind, margin] : margins) EXPECT_EQ(ReadLoss({{"kind", kind}})->margin, margin) << kind;
  EXPECT_EQ(ReadLoss({{"kind", "multi_similarity"}})->ms_beta, 50);
}

TEST(LossConfigTest, RefusesWhatItCannotUse) {
  const std::vector<std::pair<json, std::string>> refused = {
      {json::object(), "loss.kind"},
      {json::array(), "loss"},
      {nullptr, "loss"},
      {{{"kind", "softmax"}}, "loss.kind"},
      {{{"kind", 3}}, "loss.kind"},
      {{{"kind", "arcface"}, {"margin", -0.1}}, "loss.margin"},
      {{{"kind", "arcface"}, {"margin", 1.6}}, "loss.margin"},
      {{{"kind", "arcface"}, {"margin", "0.3"}}, "loss.margin"},
      {{{"kind", "arcface"}, {"scale", 0}}, "loss.scale"},
      {{{"kind", "arcface"}, {"scale", 1e300}}, "loss.scale"},
      {{{"kind", "arcface"}, {"sub_centres", 0}}, "loss.sub_centres"},
      {{{"kind", "arcface"}, {"sub_centres", 1.5}}, "loss.sub_centres"},
      {{{"kind", "arcface"}, {"sub_centres", UINT64_MAX}}, "loss.sub_centres"},
      {{{"kind", "arcface"}, {"beta", 0.6}}, "loss.beta"},
      {{{"kind", "none"}, {"margin", 0.3}}, "loss.margin"},
      {{{"kind", "margin"}, {"beta", 2.1}}, "loss.beta"},
      {{{"kind", "multi_similarity"}, {"alpha", 0}}, "loss.alpha"},
      {{{"kind", "multi_similarity"}, {"epsilon", -1}}, "loss.epsilon"}};
  for (const auto& [object, field] : refused) {
    const absl::Status status = ReadLoss(object).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << object;
    ASSERT_FALSE(base::GetErrorInfo(status).facts.empty()) << object;
    EXPECT_EQ(base::GetErrorInfo(status).facts[0].second, field) << object;
  }
}

}  // namespace
}  // namespace sightline::train
