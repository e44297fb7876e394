// Losses by hand-computed answers, on inputs that could divide by zero, and by what chance draws.
#include "model/train/loss/loss.h"

#include <ATen/autocast_mode.h>

#include <cmath>
#include <cstdio>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "model/train/loss/margin.h"
#include "model/train/run/distill.h"
#include "tests/support/seed.h"

namespace sightline::train {
namespace {

constexpr LossKind kEvery[] = {LossKind::kNone,       LossKind::kArcFace, LossKind::kContrastive,
                               LossKind::kTripletSos, LossKind::kMargin,  LossKind::kMultiSimilarity};

// A unit vector of the plane whose cosine to (1, 0) is given.
std::vector<double> Towards(double cosine) { return {cosine, std::sqrt(1 - cosine * cosine)}; }

torch::Tensor Rows(const std::vector<std::vector<double>>& rows) {
  std::vector<torch::Tensor> tensors;
  for (const auto& row : rows) tensors.push_back(torch::tensor(row, torch::kDouble));
  return torch::stack(tensors);
}

// ArcFace of one output along (1, 0) of length 3, two classes; the first is true.
double ArcFaceOf(const std::vector<double>& true_weight, const std::vector<double>& other_weight) {
  const auto loss = BuildLoss({.kind = LossKind::kArcFace, .margin = 0.3, .scale = 30}, 2, 2);
  loss->to(torch::kDouble);
  const torch::NoGradGuard no_grad;
  loss->parameters()[0].copy_(Rows({true_weight, other_weight}) * 0.25);  // length does not count
  return loss->Forward(Rows({{3, 0}}), torch::tensor({0}, torch::kLong)).item<double>();
}

TEST(ArcFaceTest, KnownAnswers) {
  // s phi = 6.652207 at cos theta = 0.5: beside another class of the same logit the loss is log 2.
  EXPECT_NEAR(ArcFaceOf(Towards(0.5), Towards(6.652207 / 30)), std::numbers::ln2, 1e-6);
  // Beside a class of logit 0 a loss far from 0 is minus the logit. On both sides of the threshold of -0.9553365:
  // cos(theta + m) is -1 to first order above, cos theta - 0.0886561 below.
  EXPECT_NEAR(ArcFaceOf(Towards(-0.9553364), {0, 1}), 30, 1e-5);
  EXPECT_NEAR(ArcFaceOf(Towards(-0.9553366), {0, 1}), 30 * (0.9553366 + 0.0886561), 1e-5);
  EXPECT_NEAR(ArcFaceOf({-1, 0}, {0, 1}), 30 * 1.0886561, 1e-5);
  // At cos theta = 1 the margin is all that is taken off, to the precision of the least sine.
  EXPECT_NEAR(ArcFaceOf({1, 0}, Towards(std::cos(0.3))), std::numbers::ln2, 30 * 3.2e-4);
}

TEST(ArcFaceTest, TheNearestSubCentreStandsForAClass) {
  const auto loss = BuildLoss({.kind = LossKind::kArcFace, .margin = 0, .scale = 10, .sub_centres = 2}, 2, 2);
  loss->to(torch::kDouble);
  {
    const torch::NoGradGuard no_grad;
    loss->parameters()[0].copy_(Rows({{-1, 0}, {0.8, 0.6}, {0, 1}, {0.6, 0.8}}));
  }
  const torch::Tensor value = loss->Forward(Rows({{1, 0}}), torch::tensor({0}, torch::kLong));
  EXPECT_NEAR(value.item<double>(), std::log1p(std::exp(10 * (0.6 - 0.8))), 1e-12);
  value.backward();
  const torch::Tensor gradient = loss->parameters()[0].grad();
  EXPECT_EQ(gradient[0].abs().sum().item<double>(), 0);
  EXPECT_GT(gradient[1].abs().sum().item<double>(), 0);
}

TEST(ContrastiveTest, KnownAnswer) {
  // Angles 0, 60 and 90 degrees: distances 1, sqrt 2 and 0.517638; the first two are of one class.
  const auto loss = BuildLoss({.kind = LossKind::kContrastive, .margin = 0.7}, 2, 2);
  const torch::Tensor value =
      loss->Forward(Rows({{1, 0}, Towards(0.5), {0, 1}}), torch::tensor({0, 0, 1}, torch::kLong));
  const double missing = 0.7 - 0.5176380902;
  EXPECT_NEAR(value.item<double>(), 0.5 + 0.5 * missing * missing, 1e-8);
}

TEST(TripletSosTest, KnownAnswer) {
  // One pair at 60 degrees and one negative at 90: d^2 = 1 within, 2 and 0.2679492 to the negative.
  const auto loss = BuildLoss({.kind = LossKind::kTripletSos, .margin = 1.25, .sos_weight = 10}, 2, 2);
  const torch::Tensor value =
      loss->Forward(Rows({{1, 0}, Towards(0.5), {0, 1}}), torch::tensor({0, 0, 1}, torch::kLong));
  const double near = 2 - std::sqrt(3.0);
  EXPECT_NEAR(value.item<double>(), ((1 - 2 + 1.25) + (1 - near + 1.25)) / 2 + 10 * (2 - near), 1e-8);
}

TEST(MarginLossTest, DistanceWeightsAreThePublishedFormula) {
  // n = 128. At d = 1: -62.5 ln 0.75; at 0.5: 126 ln 2 - 62.5 ln 0.9375; at sqrt 2: 0.5 ln 0.5.
  const torch::Tensor distances = torch::tensor({{0.1, 0.5, 1.0, std::numbers::sqrt2, 1.9, 2.0}});
  const torch::Tensor all = torch::ones({1, 6}, torch::kBool);
  const auto logs = [&](const torch::Tensor& allowed) { return DistanceWeights(distances, allowed, 128).log()[0]; };
  torch::Tensor allowed = all.clone();
  allowed[0][4] = allowed[0][5] = false;
  const torch::Tensor value = logs(allowed);
  const double at_half = 91.3702022;
  EXPECT_NEAR(value[0].item<double>(), 0, 1e-6);  // 0.1 counts as 0.5, the largest weight
  EXPECT_NEAR(value[1].item<double>(), 0, 1e-6);
  EXPECT_NEAR(value[2].item<double>(), 17.9801295 - at_half, 1e-5);
  EXPECT_NEAR(value[3].item<double>(), -0.3465736 - at_half, 1e-5);
  EXPECT_EQ(DistanceWeights(distances, allowed, 128)[0][5].item<double>(), 0);
  // Opposite points are rarest, and do not become infinite.
  EXPECT_NEAR(logs(all)[5].item<double>(), 0, 1e-6);
  EXPECT_EQ(DistanceWeights(distances, ~all, 128).abs().sum().item<double>(), 0);
}

TEST(MarginLossTest, DrawsNegativesByTheirWeights) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(seed);
  torch::manual_seed(seed);
  // In three dimensions the weight is 1 / d.
  const torch::Tensor outputs = torch::randn({7, 3});
  const torch::Tensor labels = torch::tensor({0, 0, 0, 1, 2, 2, 3}, torch::kLong);
  constexpr int kDraws = 1500;
  torch::Tensor negatives = torch::zeros({7, 7}, torch::kDouble);
  torch::Tensor positives = torch::zeros({7, 7}, torch::kDouble);
  for (int draw = 0; draw < kDraws; ++draw) {
    const Triplets triplets = MarginLoss::Sample(outputs, labels);
    const torch::Tensor ones = torch::ones({5}, torch::kDouble);
    ASSERT_TRUE(torch::equal(triplets.anchors, torch::tensor({0, 1, 2, 4, 5}, torch::kLong)));
    negatives.index_put_({triplets.anchors, triplets.negatives}, ones, /*accumulate=*/true);
    positives.index_put_({triplets.anchors, triplets.positives}, ones, /*accumulate=*/true);
  }
  for (const int64_t a : {0, 1, 2, 4, 5}) {
    std::vector<double> weights(7);
    double sum = 0, partners = 0;
    for (int64_t n = 0; n < 7; ++n) {
      const bool same = labels[a].item<int64_t>() == labels[n].item<int64_t>();
      partners += same && n != a;
      if (same) continue;
      const auto unit = [&](int64_t i) { return outputs[i] / outputs[i].norm(); };
      weights[static_cast<size_t>(n)] = 1 / std::max(0.5, (unit(a) - unit(n)).norm().item<double>());
      sum += weights[static_cast<size_t>(n)];
    }
    for (int64_t n = 0; n < 7; ++n) {
      const bool partner = n != a && labels[a].item<int64_t>() == labels[n].item<int64_t>();
      const auto check = [&](const torch::Tensor& counts, double p) {
        EXPECT_NEAR(counts[a][n].item<double>(), kDraws * p, 6 * std::sqrt(kDraws * p * (1 - p))) << a << " " << n;
      };
      check(negatives, weights[static_cast<size_t>(n)] / sum);
      check(positives, partner ? 1 / partners : 0);
    }
  }
}

TEST(MultiSimilarityTest, KnownAnswer) {
  // Cosines 0.5 within the class, 0 and 0.8660254 to the other: for the first image the negative is less similar than
  // the positive by more than epsilon, for the third there is no positive.
  const auto loss = BuildLoss({.kind = LossKind::kMultiSimilarity}, 2, 2);
  const torch::Tensor value =
      loss->Forward(Rows({{1, 0}, Towards(0.5), {0, 1}}), torch::tensor({0, 0, 1}, torch::kLong));
  const double second = std::log(2.0) / 2 + std::log1p(std::exp(50 * (std::sqrt(0.75) - 0.5))) / 50;
  EXPECT_NEAR(value.item<double>(), second / 3, 1e-9);
}

struct Degenerate {
  const char* name;
  torch::Tensor outputs;
  torch::Tensor labels;
};

std::vector<Degenerate> DegenerateBatches() {
  const auto labels = [](std::vector<int64_t> values) { return torch::tensor(values, torch::kLong); };
  const torch::Tensor row = torch::randn({6});
  const torch::Tensor axis = torch::eye(6)[0];
  const torch::Tensor random = torch::randn({4, 6});
  return {{"identical", row.repeat({4, 1}), labels({0, 0, 1, 1})},
          {"identical, one class", row.repeat({4, 1}), labels({1, 1, 1, 1})},
          {"opposite", torch::stack({axis, -axis, axis, -axis}), labels({0, 0, 1, 1})},
          {"zero", torch::zeros({4, 6}), labels({0, 0, 1, 1})},
          {"tiny", random * 1e-30, labels({0, 0, 1, 1})},
          {"huge", random * 1e15, labels({0, 0, 1, 1})},
          {"one zero", torch::cat({torch::zeros({1, 6}), random.slice(0, 1)}), labels({0, 0, 1, 1})},
          {"one class", random, labels({0, 0, 0, 0})},
          {"no pairs", random, labels({0, 1, 2, 3})},
          {"one image", random.slice(0, 0, 1), labels({2})},
          {"no image", random.slice(0, 0, 0), labels({})}};
}

TEST(LossTest, DegenerateBatchesHaveFiniteGradients) {
  torch::manual_seed(7);
  for (const LossKind kind : kEvery) {
    for (const Degenerate& batch : DegenerateBatches()) {
      SCOPED_TRACE(::testing::Message() << static_cast<int>(kind) << " " << batch.name);
      const auto loss = BuildLoss({.kind = kind, .margin = kind == LossKind::kArcFace ? 0.3 : 0.7}, 6, 4);
      if (kind == LossKind::kArcFace && std::string(batch.name) == "opposite") {
        // Angles of 0 and pi exactly.
        const torch::NoGradGuard no_grad;
        loss->parameters()[0].copy_(batch.outputs);
      }
      const torch::Tensor outputs = batch.outputs.clone().set_requires_grad(true);
      const torch::Tensor value = loss->Forward(outputs, batch.labels);
      ASSERT_TRUE(value.requires_grad());
      EXPECT_TRUE(std::isfinite(value.item<double>())) << value.item<double>();
      value.backward();
      ASSERT_TRUE(outputs.grad().defined());
      EXPECT_TRUE(outputs.grad().isfinite().all().item<bool>()) << outputs.grad();
      for (const torch::Tensor& parameter : loss->parameters()) {
        EXPECT_TRUE(!parameter.grad().defined() || parameter.grad().isfinite().all().item<bool>());
      }
    }
  }
}

TEST(LossTest, NothingToCountIsZeroWithAGradient) {
  const torch::Tensor outputs = torch::randn({3, 6}).set_requires_grad(true);
  for (const LossKind kind : {LossKind::kNone, LossKind::kContrastive, LossKind::kTripletSos, LossKind::kMargin,
                              LossKind::kMultiSimilarity}) {
    const auto loss = BuildLoss({.kind = kind, .margin = 0}, 6, 4);
    const torch::Tensor value = loss->Forward(outputs, torch::tensor({0, 1, 2}, torch::kLong));
    EXPECT_EQ(value.item<double>(), 0) << static_cast<int>(kind);
    value.backward();
    EXPECT_EQ(outputs.grad().abs().sum().item<double>(), 0) << static_cast<int>(kind);
  }
}

TEST(LossTest, GradientsAreThoseOfTheValue) {
  // Finite differences at float64, where the losses are smooth.
  torch::manual_seed(11);
  const torch::Tensor labels = torch::tensor({0, 0, 1, 1, 2, 2}, torch::kLong);
  const torch::Tensor centre = torch::randn({6, 5}, torch::kDouble);
  const torch::Tensor step = torch::randn({6, 5}, torch::kDouble);
  for (const LossKind kind : {LossKind::kArcFace, LossKind::kContrastive, LossKind::kTripletSos}) {
    const auto loss = BuildLoss({.kind = kind, .margin = kind == LossKind::kArcFace ? 0.3 : 1.3}, 5, 3);
    loss->to(torch::kDouble);
    const torch::Tensor outputs = centre.clone().set_requires_grad(true);
    loss->Forward(outputs, labels).backward();
    constexpr double kStep = 1e-6;
    const double rise =
        (loss->Forward(centre + kStep * step, labels) - loss->Forward(centre - kStep * step, labels)).item<double>() /
        (2 * kStep);
    EXPECT_NEAR((outputs.grad() * step).sum().item<double>(), rise, 1e-5) << static_cast<int>(kind);
  }
}

TEST(LossTest, HalfPrecisionOutputsAreCountedInFull) {
  torch::manual_seed(3);
  const torch::Tensor outputs = torch::randn({4, 6}).to(torch::kBFloat16);
  const torch::Tensor labels = torch::tensor({0, 0, 1, 1}, torch::kLong);
  for (const LossKind kind : kEvery) {
    if (kind == LossKind::kMargin) continue;  // draws anew
    const auto loss = BuildLoss({.kind = kind, .margin = 0.5}, 6, 4);
    const torch::Tensor plain = loss->Forward(outputs.to(torch::kFloat), labels);
    at::autocast::set_cpu_enabled(true);
    const torch::Tensor mixed = loss->Forward(outputs, labels);
    at::autocast::set_cpu_enabled(false);
    at::autocast::clear_cache();
    EXPECT_EQ(mixed.scalar_type(), torch::kFloat);
    EXPECT_TRUE(torch::equal(plain, mixed)) << static_cast<int>(kind);
  }
}

std::vector<DistillTarget> EveryTarget() {
  std::vector<DistillTarget> targets;
  for (const DistillKind kind : {DistillKind::kTokens, DistillKind::kDescriptor, DistillKind::kSimilarity,
                                 DistillKind::kDistances, DistillKind::kAngles}) {
    targets.push_back({.kind = kind});
  }
  targets.push_back({.kind = DistillKind::kTokens, .metric = DistillMetric::kCosine});
  return targets;
}

TEST(DistillLossTest, AStudentThatIsItsTeacherHasNothingToLearn) {
  torch::manual_seed(5);
  const torch::Tensor descriptors = torch::randn({5, 6});
  const torch::Tensor tokens = torch::randn({5, 3, 4});
  for (const DistillTarget& target : EveryTarget()) {
    const torch::Tensor own = descriptors.clone().set_requires_grad(true);
    const torch::Tensor own_tokens = tokens.clone().set_requires_grad(true);
    const torch::Tensor loss = DistillLoss(target, {{own_tokens}, own}, {{tokens}, descriptors});
    EXPECT_NEAR(loss.item<double>(), 0, 1e-5) << TargetName(target.kind);
    loss.backward();
    const torch::Tensor& leaf = target.kind == DistillKind::kTokens ? own_tokens : own;
    EXPECT_LT(leaf.grad().abs().max().item<double>(), 1e-5) << TargetName(target.kind);
  }
}

TEST(DistillLossTest, HalfPrecisionIsCountedInFull) {
  torch::manual_seed(6);
  const auto half = [](std::vector<int64_t> shape) { return torch::randn(shape).to(torch::kBFloat16); };
  // Photographs that look alike: their cosines are within a step of bfloat16 below 1.
  const torch::Tensor centre = torch::randn({1, 6});
  const torch::Tensor own = (centre + 0.05 * torch::randn({5, 6})).to(torch::kBFloat16);
  const torch::Tensor teacher = (centre + 0.05 * torch::randn({5, 6})).to(torch::kBFloat16);
  const torch::Tensor tokens = half({5, 3, 4});
  const torch::Tensor lesson = half({5, 3, 4});
  for (const DistillTarget& target : EveryTarget()) {
    const torch::Tensor plain = DistillLoss(target, {{tokens.to(torch::kFloat)}, own.to(torch::kFloat)},
                                            {{lesson.to(torch::kFloat)}, teacher.to(torch::kFloat)});
    at::autocast::set_cpu_enabled(true);
    const torch::Tensor mixed = DistillLoss(target, {{tokens}, own}, {{lesson}, teacher});
    at::autocast::set_cpu_enabled(false);
    at::autocast::clear_cache();
    EXPECT_EQ(mixed.scalar_type(), torch::kFloat) << TargetName(target.kind);
    EXPECT_TRUE(torch::equal(plain, mixed)) << TargetName(target.kind) << " " << plain << " " << mixed;
  }
}

TEST(DistillLossTest, DegenerateBatchesHaveFiniteGradients) {
  torch::manual_seed(9);
  for (const Degenerate& batch : DegenerateBatches()) {
    if (batch.outputs.size(0) == 0) continue;
    SCOPED_TRACE(batch.name);
    const torch::Tensor other = torch::randn_like(batch.outputs);
    for (const torch::Tensor& teacher : {other, torch::zeros_like(other)}) {
      for (const DistillTarget& target : EveryTarget()) {
        const torch::Tensor outputs = batch.outputs.clone().set_requires_grad(true);
        const torch::Tensor loss =
            DistillLoss(target, {{outputs.unsqueeze(1)}, outputs}, {{teacher.unsqueeze(1)}, teacher});
        EXPECT_TRUE(std::isfinite(loss.item<double>())) << TargetName(target.kind);
        loss.backward();
        EXPECT_TRUE(outputs.grad().isfinite().all().item<bool>()) << TargetName(target.kind);
      }
    }
  }
}

}  // namespace
}  // namespace sightline::train
