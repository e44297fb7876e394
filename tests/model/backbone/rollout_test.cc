#include "model/backbone/rollout.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace sightline::model {
namespace {

void ExpectNear(const torch::Tensor& have, const torch::Tensor& want, double tolerance) {
  ASSERT_EQ(have.sizes(), want.sizes());
  EXPECT_LE((have - want).abs().max().item<double>(), tolerance) << have << "\nwanted\n" << want;
}

// Queries whose attention over two keys of unit vectors has the given rows.
torch::Tensor QueriesFor(const torch::Tensor& attention) { return attention.log().unsqueeze(0).unsqueeze(0); }

TEST(Rollout, FollowsTwoBlocksByHand) {
  // A = [.9 .1; .2 .8] stays whole, for a tenth of four values is none. (A + I) / 2 = [.95 .05; .1 .9], its square
  // [.9075 .0925; .185 .815].
  const torch::Tensor q = QueriesFor(torch::tensor({{0.9f, 0.1f}, {0.2f, 0.8f}}));
  const torch::Tensor k = torch::eye(2).view({1, 1, 2, 2});
  const TokenGrid grid{.height = 1, .width = 2};
  Rollout rollout(1, 2);
  rollout.Add(q, k, grid, grid);
  ExpectNear(rollout.Weights(1, 2), torch::tensor({{0.525f, 0.475f}}) / 1.00001, 1e-6);
  rollout.Add(q, k, grid, grid);
  ExpectNear(rollout.Weights(1, 2), torch::tensor({{0.54625f, 0.45375f}}) / 1.00001, 1e-6);
}

TEST(Rollout, TakesBlocksInTheirOrder) {
  // Two blocks that do not commute: the later one stands on the left.
  const torch::Tensor k = torch::eye(2).view({1, 1, 2, 2});
  const TokenGrid grid{.height = 2, .width = 1};
  Rollout rollout(2, 1);
  rollout.Add(QueriesFor(torch::tensor({{0.9f, 0.1f}, {0.2f, 0.8f}})), k, grid, grid);
  rollout.Add(QueriesFor(torch::tensor({{0.6f, 0.4f}, {0.5f, 0.5f}})), k, grid, grid);
  // [.8 .2; .25 .75] [.95 .05; .1 .9] = [.78 .22; .3125 .6875]. The other order would give .53875 and .46125.
  ExpectNear(rollout.Weights(2, 1), torch::tensor({{0.54625f, 0.45375f}}) / 1.00001, 1e-6);
}

TEST(Rollout, AttentionThatTellsNothingApartGivesEqualWeights) {
  const TokenGrid grid{.prefix = 1, .height = 5, .width = 6};
  for (const int64_t max_scores : {int64_t{1}, int64_t{200}, Rollout::kMaxScores}) {
    Rollout rollout(5, 6, max_scores);
    for (int block = 0; block < 3; ++block) {
      rollout.Add(torch::zeros({2, 3, 31, 4}), torch::randn({2, 3, 31, 4}), grid, grid);
    }
    ExpectNear(rollout.Weights(5, 6), torch::full({2, 30}, 1 / 30.0f), 1e-5);
  }
}

TEST(Rollout, DropsTheLowestTenth) {
  // One query row of ten keys 1 .. 10 over their sum: the key with the smallest share counts nothing.
  const torch::Tensor shares = torch::arange(1, 11).to(torch::kFloat) / 55;
  const torch::Tensor q = shares.log().view({1, 1, 1, 10}).expand({1, 1, 10, 10});
  const TokenGrid grid{.height = 2, .width = 5};
  Rollout rollout(2, 5);
  rollout.Add(q, torch::eye(10).view({1, 1, 10, 10}), grid, grid);
  torch::Tensor kept = shares.clone();
  kept[0] = 0;
  const torch::Tensor block = (kept.unsqueeze(0) + torch::eye(10)) / (kept.sum() + 1);
  ExpectNear(rollout.Weights(2, 5), block.mean(0, /*keepdim=*/true) / 1.00001, 1e-6);
}

TEST(Rollout, IsEachImagesOwn) {
  torch::manual_seed(7);
  const TokenGrid queries{.prefix = 1, .height = 6, .width = 4};
  const TokenGrid keys{.prefix = 1, .height = 3, .width = 2};
  const torch::Tensor q = torch::randn({3, 2, 25, 8});
  const torch::Tensor k = torch::randn({3, 2, 7, 8});
  Rollout together(3, 2);
  together.Add(q, k, queries, keys);
  for (int64_t b = 0; b < 3; ++b) {
    Rollout alone(3, 2);
    alone.Add(q.narrow(0, b, 1), k.narrow(0, b, 1), queries, keys);
    ExpectNear(together.Weights(6, 4).narrow(0, b, 1), alone.Weights(6, 4), 1e-7);
  }
}

TEST(Rollout, PiecesDifferOnlyByTheEstimatedTenth) {
  torch::manual_seed(8);
  const TokenGrid grid{.prefix = 1, .height = 16, .width = 16};
  const torch::Tensor q = torch::randn({1, 2, 257, 8});
  const torch::Tensor k = torch::randn({1, 2, 257, 8});
  Rollout whole(16, 16), pieces(16, 16, 2 * 257 * 60);
  whole.Add(q, k, grid, grid);
  pieces.Add(q, k, grid, grid);
  ExpectNear(pieces.Weights(16, 16), whole.Weights(16, 16), 1e-3 / 256);
}

TEST(Rollout, LargeGridsAreHalved) {
  const TokenGrid grid{.height = 65, .width = 33};
  Rollout rollout(65, 33);
  rollout.Add(torch::zeros({1, 1, 65 * 33, 2}), torch::zeros({1, 1, 65 * 33, 2}), grid, grid);
  const torch::Tensor weights = rollout.Weights(65, 33);
  ASSERT_EQ(weights.size(1), 65 * 33);
  // 33 x 17 cells of equal weight.
  ExpectNear(weights, torch::full({1, 65 * 33}, 1 / (33.0f * 17)), 1e-6);
}

TEST(RepeatCells, RepeatsOverTwoByTwo) {
  const torch::Tensor cells = torch::tensor({{1.0f, 2.0f, 3.0f, 4.0f}});
  ExpectNear(RepeatCells(cells, 2, 2, 3, 4),
             torch::tensor({{1.0f, 1.0f, 2.0f, 2.0f, 1.0f, 1.0f, 2.0f, 2.0f, 3.0f, 3.0f, 4.0f, 4.0f}}), 0);
}

}  // namespace
}  // namespace sightline::model
