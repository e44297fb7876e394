#include "model/config/rerank_config.h"

#include <fstream>
#include <sstream>
#include <string>

#include "gtest/gtest.h"
#include "model/config/model_config.h"

namespace sightline::model {
namespace {

using nlohmann::json;
using Method = RerankDefaults::Method;
using Marginals = RerankDefaults::Marginals;

TEST(RerankConfigTest, IsOffForPlainTransformersAndOnForOthers) {
  const RerankDefaults on = DefaultRerank(HybridVitConfig());
  EXPECT_EQ(on.method, Method::kOptimalTransport);
  EXPECT_EQ(on.marginals, Marginals::kCrossCorrelation);
  EXPECT_EQ(on.mass, 1);
  EXPECT_EQ(on.epsilon, 0.05);
  EXPECT_EQ(on.weight, 1);
  EXPECT_EQ(DefaultRerank(ResnetConfig()), on);
  EXPECT_EQ(DefaultRerank(VggConfig()), on);
  EXPECT_EQ(DefaultRerank(SwinConfig()), on);
  EXPECT_EQ(DefaultRerank(CvtConfig()), on);
  RerankDefaults off = on;
  off.method = Method::kOff;
  EXPECT_EQ(DefaultRerank(VitConfig()), off);
}

TEST(RerankConfigTest, MembersGoOverTheDefaults) {
  const auto some = ParseRerank({{"mass", 0.6}, {"marginals", "minus"}}, DefaultRerank(VitConfig()));
  ASSERT_TRUE(some.ok()) << some.status();
  EXPECT_EQ(some->method, Method::kOff);
  EXPECT_EQ(some->mass, 0.6);
  EXPECT_EQ(some->marginals, Marginals::kMinus);
  EXPECT_EQ(some->temperature, 1);
  const auto all = ParseRerank({{"method", "optimal_transport"},
                                {"mass", 0.5},
                                {"epsilon", 0.1},
                                {"marginals", "softmax"},
                                {"temperature", 0.1},
                                {"weight", 0}},
                               {});
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(*all, (RerankDefaults{.method = Method::kOptimalTransport,
                                  .mass = 0.5,
                                  .epsilon = 0.1,
                                  .marginals = Marginals::kSoftmax,
                                  .temperature = 0.1,
                                  .weight = 0}));
  const char* const names[] = {"uniform", "cross_correlation", "inverse", "minus", "softmax", "importance"};
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(ParseRerank({{"marginals", names[i]}}, {})->marginals, static_cast<Marginals>(i)) << names[i];
  }
}

// METHODS.md 3.6 and 3.9.
TEST(RerankConfigTest, TheZooSaysWhatIsPublishedOrMeasured) {
  const auto zoo = [](const std::string& name) {
    std::stringstream text;
    text << std::ifstream(std::string(SIGHTLINE_ZOO) + "/" + name + "/model.json").rdbuf();
    const auto config = ParseModelConfig(text.str());
    EXPECT_TRUE(config.ok()) << config.status();
    return *config;
  };
  EXPECT_EQ(zoo("deit_small_128").rerank.method, Method::kOff);
  EXPECT_EQ(zoo("vit_small_patch16_224").rerank.method, Method::kOff);
  EXPECT_EQ(zoo("dinov2_vits14").rerank.method, Method::kOff);
  EXPECT_EQ(zoo("dtop_r50_vit_b").rerank.method, Method::kOptimalTransport);
  EXPECT_EQ(zoo("resnet50_diml").rerank, DefaultRerank(ResnetConfig()));
  EXPECT_EQ(zoo("swin_tiny").rerank, DefaultRerank(SwinConfig()));
  // Measured: docs/performance.md.
  EXPECT_EQ(zoo("vit_tiny_patch16_224").rerank.method, Method::kOptimalTransport);
  EXPECT_EQ(zoo("vit_tiny_patch16_224").rerank.mass, 0.6);
  const ModelConfig cvt = zoo("cvt_13");
  EXPECT_EQ(cvt.rerank.method, Method::kOptimalTransport);
  EXPECT_EQ(cvt.rerank.marginals, Marginals::kImportance);
  EXPECT_EQ(cvt.tokens.importance, Importance::kRollout);
  EXPECT_EQ(cvt.tokens.max_cells, 49);
}

}  // namespace
}  // namespace sightline::model
