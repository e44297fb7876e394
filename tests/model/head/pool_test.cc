// Known answers of the pooling heads.
#include "model/head/pool.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "model/config/architecture.h"
#include "model/head/rmac.h"
#include "model/inference.h"
#include "model/registry.h"

namespace sightline::model {
namespace {

torch::Tensor Row(const std::vector<float>& values) {
  return torch::tensor(values).view({1, 1, 1, static_cast<int64_t>(values.size())});
}

TEST(GemTest, KnownAnswer) {
  EXPECT_NEAR(GemPool(3).Forward(Row({.1f, .2f, .4f, -1})).item<double>(), 0.2632819, 1e-6);
  EXPECT_NEAR(GemPool(std::nullopt).Forward(Row({.1f, .2f, .4f, -1})).item<double>(), 0.2632819, 1e-6);
  // Between the mean and the maximum.
  EXPECT_NEAR(GemPool(1).Forward(Row({1, 2, 6})).item<double>(), 3, 1e-5);
  EXPECT_NEAR(GemPool(60).Forward(Row({1, 2, 3})).item<double>(), 3, 0.06);
}

TEST(GemTest, ALearnedExponentIsOneParameterThatThePlanReads) {
  GemPool pool(std::nullopt);
  ASSERT_EQ(pool.parameters().size(), 1u);
  EXPECT_EQ(pool.named_parameters()["p"].numel(), 1);
  EXPECT_TRUE(GemPool(3).parameters().empty());
  const torch::Tensor map = torch::rand({2, 3, 4, 5});
  {
    torch::NoGradGuard no_grad;
    pool.named_parameters()["p"].fill_(2.25);
  }
  const torch::Tensor plain = pool.Forward(map);
  PlanInference(pool);
  EXPECT_TRUE(torch::allclose(plain, pool.Forward(map), 1e-5, 1e-7));
  // Training follows the parameter again.
  pool.train();
  pool.Forward(map).sum().backward();
  EXPECT_NE(pool.named_parameters()["p"].grad().item<double>(), 0);
}

TEST(MergeScalesTest, KnownAnswer) {
  // L2 gives (0.6, 0.8) and (1, 0).
  const std::vector<torch::Tensor> scales = {torch::tensor({{3.0f, 4.0f}}), torch::tensor({{2.0f, 0.0f}})};
  const auto expect = [](const torch::Tensor& have, double x, double y) {
    const double norm = std::hypot(x, y);
    EXPECT_NEAR(have[0][0].item<double>(), x / norm, 1e-6);
    EXPECT_NEAR(have[0][1].item<double>(), y / norm, 1e-6);
  };
  expect(MergeScales(scales), 0.8, 0.4);
  expect(MergeScales(scales, 3), std::cbrt((0.216 + 1) / 2), std::cbrt(0.512 / 2));
}

TEST(RmacTest, RegionCounts) {
  EXPECT_EQ(RmacRegions(32, 32, 3).size(), 14u);
  const std::vector<Region> wide = RmacRegions(24, 32, 3);
  ASSERT_EQ(wide.size(), 20u);
  EXPECT_EQ(wide[0], (Region{0, 0, 24}));
  EXPECT_EQ(wide[1], (Region{0, 8, 24}));
  EXPECT_EQ(wide[2].side, 16);
  EXPECT_EQ(wide[8].side, 12);
  EXPECT_EQ(RmacRegions(32, 24, 3).size(), 20u);
  // A single cell has one region, itself; a row of cells only squares of one.
  EXPECT_EQ(RmacRegions(1, 1, 3), (std::vector<Region>{{0, 0, 1}}));
  for (const Region& region : RmacRegions(1, 9, 3)) EXPECT_EQ(region.side, 1);
}

TEST(RmacTest, RegionsLieInsideTheMap) {
  for (int64_t height = 1; height < 40; height += 3) {
    for (int64_t width = 1; width < 70; width += 4) {
      for (const Region& region : RmacRegions(height, width, 8)) {
        ASSERT_GE(region.top, 0);
        ASSERT_GE(region.left, 0);
        ASSERT_GE(region.side, 1);
        ASSERT_LE(region.top + region.side, height);
        ASSERT_LE(region.left + region.side, width);
      }
    }
  }
}

TEST(CrowTest, AChannelOfZerosCountsForNothing) {
  torch::Tensor map = torch::zeros({1, 3, 2, 2});
  map[0][0] = torch::tensor({{1.0f, 2.0f}, {3.0f, 4.0f}});
  map[0][1] = torch::tensor({{0.0f, 0.0f}, {0.0f, 5.0f}});
  const torch::Tensor v = CrowPool(map);
  EXPECT_EQ(v[0][2].item<float>(), 0);
  // S = 1, 2, 3, 9 with norm sqrt(95); Q = 1, 1/4, 0; weights ln(1.25), ln(5).
  const double norm = std::sqrt(95.0);
  const auto s = [norm](double sum) { return std::sqrt(sum / norm); };
  EXPECT_NEAR(v[0][0].item<double>(), std::log(1.25) * (s(1) + 2 * s(2) + 3 * s(3) + 4 * s(9)), 1e-5);
  EXPECT_NEAR(v[0][1].item<double>(), std::log(5) * 5 * s(9), 1e-5);
  EXPECT_TRUE((CrowPool(torch::zeros({2, 3, 4, 4})) == 0).all().item<bool>());
}

TEST(SpocTest, TheMiddleCountsMost) {
  torch::Tensor map = torch::zeros({1, 2, 5, 9});
  map[0][0][2][4] = 1;
  map[0][1][0][0] = 1;
  const torch::Tensor v = SpocPool(map);
  EXPECT_GT(v[0][0].item<double>(), 100 * v[0][1].item<double>());
  EXPECT_GT(v[0][1].item<double>(), 0);
  // A weighted mean: what is the same everywhere stays.
  EXPECT_TRUE(torch::allclose(SpocPool(torch::full({1, 2, 3, 4}, 7.0)), torch::full({1, 2}, 7.0)));
}

}  // namespace
}  // namespace sightline::model
