// Whether refinement pays: mean average precision over clusters that a plain search cannot tell apart.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

#include "index/kernels/inner_product.h"
#include "index/rerank/augmentation.h"
#include "index/rerank/k_reciprocal.h"
#include "index/rerank/query_expansion.h"
#include "index/rerank/super_global.h"
#include "tests/index/clusters.h"

namespace sightline::index::rerank {
namespace {

constexpr size_t kDim = 64;
constexpr size_t kClusters = 100;
constexpr size_t kRows = 3000;
constexpr size_t kQueries = 60;
constexpr size_t kShortlist = 400;
// A row's cosine with its centre is about 0.57, with another row of its cluster 0.33, which strangers reach, too.
constexpr float kNoise = 1.4f;

class RetrievalTest : public ::testing::Test {
 protected:
  RetrievalTest()
      : random_(11),
        clusters_(random_, kClusters, kRows, kDim, kNoise),
        queries_(clusters_.Members(random_, kQueries, kNoise)) {}

  static std::vector<size_t> Search(const std::vector<float>& rows, const float* query) {
    std::vector<float> scores(rows.size() / kDim);
    kernels::InnerProducts(query, rows.data(), kDim, kDim, scores.size(), scores.data());
    return OrderByScore(scores);
  }

  // `order` gives the rows for a query, best first.
  double MeanAveragePrecision(const std::function<std::vector<size_t>(const float* query)>& order) const {
    double sum = 0;
    for (size_t q = 0; q < kQueries; ++q) {
      sum += AveragePrecision(order(queries_.data() + q * kDim), kRows / kClusters,
                              [q](size_t row) { return row % kClusters == q % kClusters; });
    }
    return sum / kQueries;
  }

  double Plain() const {
    return MeanAveragePrecision([this](const float* query) { return Search(clusters_.rows, query); });
  }

  std::vector<float> Gather(const std::vector<size_t>& order, size_t count) const {
    std::vector<float> rows;
    for (size_t i = 0; i < count; ++i) rows.insert(rows.end(), clusters_.Row(order[i]), clusters_.Row(order[i]) + kDim);
    return rows;
  }

  // Orders the shortlist of a plain search anew and leaves the rest.
  template <typename Scores>
  double Reordered(const Scores& scores_of) const {
    return MeanAveragePrecision([&](const float* query) {
      std::vector<size_t> order = Search(clusters_.rows, query);
      const std::vector<float> rows = Gather(order, kShortlist);
      const std::vector<float> scores = scores_of(query, DescriptorRows{rows.data(), kShortlist, kDim, kDim});
      std::vector<size_t> result;
      for (const size_t place : OrderByScore(scores)) result.push_back(order[place]);
      result.insert(result.end(), order.begin() + kShortlist, order.end());
      return result;
    });
  }

  std::vector<float> Cosines(const float* query, const std::vector<float>& rows) const {
    std::vector<float> cosines(rows.size() / kDim);
    kernels::InnerProducts(query, rows.data(), kDim, kDim, cosines.size(), cosines.data());
    return cosines;
  }

  std::mt19937 random_;
  const Clusters clusters_;
  const std::vector<float> queries_;
};

TEST_F(RetrievalTest, ThePlainSearchLeavesRoom) {
  EXPECT_GT(Plain(), 0.2);
  EXPECT_LT(Plain(), 0.7);
}

TEST_F(RetrievalTest, AverageExpansionGains) {
  const double expanded = MeanAveragePrecision([this](const float* query) {
    const std::vector<float> rows = Gather(Search(clusters_.rows, query), kAverageNeighbours);
    const DescriptorRows best{rows.data(), kAverageNeighbours, kDim, kDim};
    return Search(clusters_.rows, ExpandAverage(query, best, kAverageNeighbours).data());
  });
  RecordProperty("map", std::to_string(expanded));
  EXPECT_GT(expanded, Plain() + 0.05);
}

TEST_F(RetrievalTest, AlphaWeightedExpansionGains) {
  const double expanded = MeanAveragePrecision([this](const float* query) {
    const std::vector<float> rows = Gather(Search(clusters_.rows, query), kAlphaNeighbours);
    const DescriptorRows best{rows.data(), kAlphaNeighbours, kDim, kDim};
    const std::vector<float> cosines = Cosines(query, rows);
    return Search(clusters_.rows,
                  ExpandAlphaWeighted(query, best, cosines.data(), kAlphaNeighbours, kDefaultAlpha).data());
  });
  RecordProperty("map", std::to_string(expanded));
  EXPECT_GT(expanded, Plain() + 0.05);
}

TEST_F(RetrievalTest, SuperGlobalGains) {
  const double reordered =
      Reordered([](const float* query, const DescriptorRows& rows) { return SuperGlobalScores(query, rows); });
  RecordProperty("map", std::to_string(reordered));
  EXPECT_GT(reordered, Plain() + 0.05);
}

TEST_F(RetrievalTest, ReciprocalGains) {
  const double reordered =
      Reordered([](const float* query, const DescriptorRows& rows) { return ReciprocalScores(query, rows); });
  RecordProperty("map", std::to_string(reordered));
  EXPECT_GT(reordered, Plain() + 0.05);
}

TEST_F(RetrievalTest, AugmentationGains) {
  std::vector<float> augmented;
  for (size_t i = 0; i < kRows; ++i) {
    std::vector<size_t> order = Search(clusters_.rows, clusters_.Row(i));
    std::erase(order, i);
    const std::vector<float> rows = Gather(order, 10);
    const std::vector<float> cosines = Cosines(clusters_.Row(i), rows);
    const std::vector<float> row = AugmentRow(clusters_.Row(i), {rows.data(), 10, kDim, kDim}, cosines.data(), 3);
    augmented.insert(augmented.end(), row.begin(), row.end());
  }
  const double found = MeanAveragePrecision([&](const float* query) { return Search(augmented, query); });
  RecordProperty("map", std::to_string(found));
  EXPECT_GT(found, Plain() + 0.02);
}

}  // namespace
}  // namespace sightline::index::rerank
