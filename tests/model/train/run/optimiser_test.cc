#include "model/train/run/optimiser.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <numbers>

#include "model/train/run/average.h"
#include "model/train/run/distill.h"
#include "model/train/run/schedule.h"

namespace sightline::train {
namespace {

// Eight steps of random gradients beside LibTorch's own optimiser.
void ExpectLike(const OptimiserConfig& config, torch::optim::Optimizer& reference, const torch::Tensor& theirs) {
  const torch::Tensor mine = theirs.detach().clone().set_requires_grad(true);
  Optimiser optimiser(config, {{"w", mine, config.lr, config.weight_decay}});
  for (int step = 0; step < 8; ++step) {
    const torch::Tensor gradient = torch::randn({5, 7});
    mine.mutable_grad() = gradient.clone();
    theirs.mutable_grad() = gradient.clone();
    optimiser.Step(1);
    reference.step();
    EXPECT_TRUE(torch::allclose(mine, theirs, 1e-6, 1e-7)) << "step " << step << ", seed 3";
  }
  EXPECT_EQ(optimiser.steps(), 8);
}

TEST(OptimiserTest, AdamwAndSgdStepAsLibTorchs) {
  torch::manual_seed(3);
  const auto fresh = [] { return torch::randn({5, 7}).set_requires_grad(true); };
  {
    const torch::Tensor w = fresh();
    torch::optim::AdamW reference({w}, torch::optim::AdamWOptions(0.01).weight_decay(0.1).betas({0.8, 0.95}).eps(1e-7));
    ExpectLike(
        {.kind = OptimiserKind::kAdamw, .lr = 0.01, .weight_decay = 0.1, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-7},
        reference, w);
  }
  for (const bool nesterov : {false, true}) {
    const torch::Tensor w = fresh();
    torch::optim::SGD reference({w},
                                torch::optim::SGDOptions(0.05).weight_decay(0.01).momentum(0.9).nesterov(nesterov));
    ExpectLike({.kind = OptimiserKind::kSgd, .lr = 0.05, .weight_decay = 0.01, .momentum = 0.9, .nesterov = nesterov},
               reference, w);
  }
}

TEST(ScheduleTest, WarmsUpAndFallsToItsEnd) {
  const ScheduleConfig cosine{.kind = ScheduleKind::kCosine, .warmup_steps = 4, .final_lr = 0.1};
  EXPECT_DOUBLE_EQ(RateFactor(cosine, 1, 0, 104, 0), 0.25);
  EXPECT_DOUBLE_EQ(RateFactor(cosine, 1, 3, 104, 0), 1);
  EXPECT_DOUBLE_EQ(RateFactor(cosine, 1, 4, 104, 0), 1);
  EXPECT_NEAR(RateFactor(cosine, 1, 54, 104, 0), 0.55, 1e-12);
  EXPECT_NEAR(RateFactor(cosine, 1, 104, 104, 0), 0.1, 1e-12);
  EXPECT_DOUBLE_EQ(RateFactor({.kind = ScheduleKind::kExponential, .decay = 0.01}, 1, 999, 1000, 30), std::exp(-0.3));
  EXPECT_DOUBLE_EQ(RateFactor({.kind = ScheduleKind::kConstant}, 1, 999, 1000, 30), 1);
}

TEST(AverageTest, FollowsTheFormula) {
  const torch::Tensor x = torch::zeros({3});
  Average average({{"x", x}}, 0.9);
  x.fill_(1);
  average.Update({{"x", x}}, 1);  // d = 2 / 11
  EXPECT_NEAR(average.values()[0].tensor[0].item<double>(), 9.0 / 11, 1e-6);
  x.fill_(5);
  average.Update({{"x", x}}, 1'000'000);  // d = 0.9
  EXPECT_NEAR(average.values()[0].tensor[0].item<double>(), 0.9 * 9 / 11 + 0.5, 1e-6);
}

// Against the definitions, written as loops.
TEST(DistillTest, RelationsFollowTheirDefinitions) {
  torch::manual_seed(7);
  constexpr int64_t kCount = 5;
  const torch::Tensor s = torch::randn({kCount, 6}, torch::kDouble);
  const torch::Tensor t = torch::randn({kCount, 9}, torch::kDouble);
  const auto unit = [](const torch::Tensor& x, int64_t i) { return x[i] / x[i].norm(); };
  const auto smooth = [](double d) { return std::abs(d) < 1 ? d * d / 2 : std::abs(d) - 0.5; };
  double cosines = 0, distances = 0, angles = 0, mean_s = 0, mean_t = 0;
  const auto distance = [&](const torch::Tensor& x, int64_t i, int64_t j) {
    return (unit(x, i) - unit(x, j)).norm().item<double>();
  };
  const auto angle = [&](const torch::Tensor& x, int64_t i, int64_t j, int64_t k) {
    if (i == j || k == j) return 0.0;
    const torch::Tensor a = unit(x, i) - unit(x, j), b = unit(x, k) - unit(x, j);
    return (a.dot(b) / a.norm() / b.norm()).item<double>();
  };
  constexpr double kPairs = kCount * (kCount - 1);
  for (int64_t i = 0; i < kCount; ++i) {
    for (int64_t j = 0; j < kCount; ++j) {
      if (i == j) continue;
      mean_s += distance(s, i, j) / kPairs;
      mean_t += distance(t, i, j) / kPairs;
    }
  }
  for (int64_t i = 0; i < kCount; ++i) {
    for (int64_t j = 0; j < kCount; ++j) {
      for (int64_t k = 0; k < kCount; ++k) {
        angles += smooth(angle(s, i, j, k) - angle(t, i, j, k)) / (kCount * kCount * kCount);
      }
      if (i == j) continue;
      const double difference = (unit(s, i).dot(unit(s, j)) - unit(t, i).dot(unit(t, j))).item<double>();
      cosines += difference * difference / kPairs;
      distances += smooth(distance(s, i, j) / mean_s - distance(t, i, j) / mean_t) / kPairs;
    }
  }
  const ForwardResult student{.layers = {}, .descriptor = s};
  const TeacherAnswer teacher{.layers = {}, .descriptor = t};
  const auto loss = [&](DistillKind kind, DistillMetric metric) {
    return DistillLoss({.kind = kind, .metric = metric}, student, teacher).item<double>();
  };
  EXPECT_NEAR(loss(DistillKind::kSimilarity, DistillMetric::kMse), cosines, 1e-9) << "seed 7";
  EXPECT_NEAR(loss(DistillKind::kDistances, DistillMetric::kSmoothL1), distances, 1e-9) << "seed 7";
  EXPECT_NEAR(loss(DistillKind::kAngles, DistillMetric::kSmoothL1), angles, 1e-9) << "seed 7";
}

}  // namespace
}  // namespace sightline::train
