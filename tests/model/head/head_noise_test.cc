// Dropout and WaveBlock of DToP: what they do in training, and that evaluation knows nothing of them.
#include <cstdio>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "model/config/architecture.h"
#include "model/head/dtop.h"
#include "model/head/elm.h"
#include "model/weights/load.h"
#include "tests/model/parity_files.h"
#include "tests/support/seed.h"

namespace sightline::model {
namespace {

constexpr int64_t kTokenDim = 12;
constexpr int64_t kAsppWidth = 5;
constexpr int64_t kExpand = 2;
constexpr int64_t kBatch = 4;
constexpr double kBatchNormMomentum = 0.1;

class HeadNoiseTest : public ::testing::Test {
 protected:
  HeadNoiseTest() {
    const unsigned seed = sightline::testing::Seed();
    std::printf("seed %u\n", seed);
    torch::manual_seed(seed);
    DtopConfig config;
    config.layers = 3;
    config.dim = 10;
    config.expand = static_cast<int>(kExpand);
    config.aspp_dim = static_cast<int>(kAsppWidth);
    head_ = std::make_shared<Dtop>(config, kTokenDim);
    Randomise(InferenceTensors(*head_));
    features_.prefix = 1;
    features_.height = 7;  // odd, and not as wide as high
    features_.width = 3;
    for (int i = 0; i < config.layers; ++i) features_.layers.push_back(torch::randn({kBatch, 1 + 7 * 3, kTokenDim}));
  }

  torch::Tensor Parameter(const std::string& name) const { return head_->named_parameters()[name]; }

  const torch::NoGradGuard no_grad_;
  std::shared_ptr<Dtop> head_;
  Features features_;
};

TEST_F(HeadNoiseTest, EvaluationIsTheSameWithAndWithoutNoise) {
  head_->eval();
  const torch::Tensor quiet = head_->Forward(features_);
  head_->UseNoise({.dropout = 0.5, .wave_height = 0.3, .wave_factor = 1.5});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(torch::equal(head_->Forward(features_), quiet));
}

TEST_F(HeadNoiseTest, TrainingWithoutNoiseRepeatsItself) {
  head_->train();
  const torch::Tensor quiet = head_->Forward(features_);
  EXPECT_TRUE(torch::equal(head_->Forward(features_), quiet));
  // A factor of one and a band over the whole map change nothing either.
  head_->UseNoise({.wave_height = 0.3, .wave_factor = 1});
  EXPECT_TRUE(torch::equal(head_->Forward(features_), quiet));
  head_->UseNoise({.wave_height = 1, .wave_factor = 3});
  EXPECT_TRUE(torch::equal(head_->Forward(features_), quiet));
}

// In training u = BN(FC(m [u_c ; u_p] / (1 - p))) with m of zeros and ones, drawn for every value.
TEST_F(HeadNoiseTest, DropoutZeroesValuesOfBothBranches) {
  constexpr double kDropout = 0.4;
  constexpr int kMaskSeed = 5;
  head_->train();
  const Dtop::Parts quiet = head_->ForwardParts(features_);
  head_->UseNoise({.dropout = kDropout});
  torch::manual_seed(kMaskSeed);
  const Dtop::Parts noisy = head_->ForwardParts(features_);
  EXPECT_TRUE(torch::equal(noisy.global, quiet.global));
  EXPECT_TRUE(torch::equal(noisy.local, quiet.local));
  EXPECT_GT((noisy.result - quiet.result).abs().max().item<float>(), 1e-3f);

  torch::manual_seed(kMaskSeed);
  const torch::Tensor both = torch::cat({quiet.global, quiet.local}, 1);
  const torch::Tensor mask = torch::dropout(torch::ones_like(both), kDropout, /*train=*/true);
  const auto dropped = mask.eq(0).sum().item<int64_t>();
  EXPECT_GT(dropped, 0);
  EXPECT_LT(dropped, mask.numel());
  const torch::Tensor linear = torch::linear(both * mask, Parameter("final_fc.weight"), Parameter("final_fc.bias"));
  const torch::Tensor expected = torch::batch_norm(linear, Parameter("bn.weight"), Parameter("bn.bias"), {}, {},
                                                   /*training=*/true, kBatchNormMomentum, BatchNorm::kEpsilon, false);
  EXPECT_TRUE(torch::allclose(noisy.result, expected, 1e-4, 1e-5));
}

TEST_F(HeadNoiseTest, WaveChangesTheLocalBranchInTraining) {
  head_->train();
  const Dtop::Parts quiet = head_->ForwardParts(features_);
  head_->UseNoise({.wave_height = 0.3, .wave_factor = 1.5});
  const Dtop::Parts noisy = head_->ForwardParts(features_);
  EXPECT_TRUE(torch::equal(noisy.global, quiet.global));
  EXPECT_TRUE(torch::equal(noisy.map, quiet.map));
  EXPECT_GT((noisy.local_map - quiet.local_map).abs().max().item<float>(), 1e-3f);
  EXPECT_GT((noisy.result - quiet.result).abs().max().item<float>(), 1e-3f);
}

// ASPP sees IRB's map with everything multiplied but a band of the stated height; the band is at every place in time.
TEST_F(HeadNoiseTest, WaveKeepsOneBand) {
  constexpr int64_t kRows = 7, kBand = 2;  // 0.3 of 7 rows
  constexpr double kFactor = 1.5;
  const auto elm = std::make_shared<Elm>(kTokenDim, kExpand, kAsppWidth);
  const auto irb = std::make_shared<InvertedResidual>(kTokenDim, kExpand);
  const auto aspp = std::make_shared<Aspp>(kTokenDim, kAsppWidth);
  Randomise(InferenceTensors(*elm));
  for (auto& item : elm->named_parameters()) {
    const bool first = item.key().starts_with("irb.");
    const std::string name = item.key().substr(first ? 4 : 5);
    (first ? irb->named_parameters() : aspp->named_parameters())[name].copy_(item.value());
  }
  for (torch::nn::Module* const module :
       {static_cast<torch::nn::Module*>(elm.get()), static_cast<torch::nn::Module*>(irb.get()),
        static_cast<torch::nn::Module*>(aspp.get())}) {
    module->train();
  }
  const torch::Tensor x = torch::randn({kBatch, kTokenDim, kRows, 4});
  const torch::Tensor narrow = irb->Forward(x);
  std::vector<torch::Tensor> expected;
  for (int64_t first = 0; first + kBand <= kRows; ++first) {
    torch::Tensor waved = narrow * kFactor;
    waved.narrow(2, first, kBand).copy_(narrow.narrow(2, first, kBand));
    expected.push_back(aspp->Forward(waved));
  }
  elm->UseWave(0.3, kFactor);
  std::set<size_t> seen;
  for (int draw = 0; draw < 200 && seen.size() < expected.size(); ++draw) {
    const torch::Tensor y = elm->Forward(x);
    size_t fits = 0;
    for (size_t first = 0; first < expected.size(); ++first) {
      if (!torch::allclose(y, expected[first], 1e-4, 1e-5)) continue;
      ++fits;
      seen.insert(first);
    }
    ASSERT_EQ(fits, 1u) << "draw " << draw;
  }
  EXPECT_EQ(seen.size(), expected.size());
}

}  // namespace
}  // namespace sightline::model
