// Query expansion against its formula in double precision.
#include "index/rerank/query_expansion.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "index/kernels/inner_product.h"
#include "tests/index/clusters.h"
#include "tests/support/seed.h"

namespace sightline::index::rerank {
namespace {

// L2(q + sum of weights[i] x_i).
std::vector<double> Expanded(const float* query, const DescriptorRows& rows, const std::vector<double>& weights) {
  std::vector<double> sum(query, query + rows.dim);
  double squares = 0;
  for (size_t d = 0; d < rows.dim; ++d) {
    for (size_t i = 0; i < weights.size(); ++i) sum[d] += weights[i] * rows.Row(i)[d];
    squares += sum[d] * sum[d];
  }
  for (double& value : sum) value /= std::sqrt(squares);
  return sum;
}

void ExpectNear(const std::vector<float>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t d = 0; d < actual.size(); ++d) EXPECT_NEAR(actual[d], expected[d], 1e-6) << "at " << d;
}

std::vector<float> Cosines(const float* query, const DescriptorRows& rows) {
  std::vector<float> cosines(rows.count);
  for (size_t i = 0; i < rows.count; ++i) {
    cosines[i] = static_cast<float>(kernels::InnerProductReference(query, rows.Row(i), rows.dim));
  }
  return cosines;
}

TEST(QueryExpansionTest, AgreesWithTheFormula) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (const size_t dim : {1, 2, 3, 7, 16, 33, 100, 1536}) {
    for (const size_t count : {0, 1, 2, 9, 10, 11, 60}) {
      for (const size_t neighbours : {0, 1, 10, 48, 1000}) {
        SCOPED_TRACE(absl::StrCat("dim ", dim, ", rows ", count, ", neighbours ", neighbours));
        const size_t stride = dim + random() % 3;
        const std::vector<float> query = UnitRows(random, 1, dim);
        std::vector<float> data(count * stride, 7);
        for (size_t i = 0; i < count; ++i) {
          const std::vector<float> row = UnitRows(random, 1, dim);
          // At one dimension every sum of signs could be zero, which has its own test.
          for (size_t d = 0; d < dim; ++d) data[i * stride + d] = dim == 1 ? query[0] : row[d];
        }
        const DescriptorRows rows{data.data(), count, dim, stride};
        const size_t k = std::min(neighbours, count);
        ExpectNear(ExpandAverage(query.data(), rows, neighbours),
                   Expanded(query.data(), rows, std::vector<double>(k, 1)));

        const std::vector<float> cosines = Cosines(query.data(), rows);
        for (const double alpha : {0.0, 0.5, 3.0}) {
          std::vector<double> weights;
          for (size_t i = 0; i < k; ++i) {
            weights.push_back(cosines[i] <= 0 ? 0.0 : std::pow(static_cast<double>(cosines[i]), alpha));
          }
          ExpectNear(ExpandAlphaWeighted(query.data(), rows, cosines.data(), neighbours, alpha),
                     Expanded(query.data(), rows, weights));
        }
      }
    }
  }
}

TEST(QueryExpansionTest, ResultsThatPointAwayWeighNothing) {
  const std::vector<float> query = {1, 0};
  const std::vector<float> data = {-1, 0, 0, 1};
  const std::vector<float> cosines = {-1, 0};
  for (const double alpha : {0.0, 0.5, 1.0, 2.0, 3.0}) {
    EXPECT_EQ(ExpandAlphaWeighted(query.data(), {data.data(), 2, 2, 2}, cosines.data(), 2, alpha), query) << alpha;
  }
}

TEST(QueryExpansionTest, AZeroSumLeavesTheQuery) {
  const std::vector<float> query = {0.6f, 0.8f};
  const std::vector<float> opposite = {-0.6f, -0.8f};
  EXPECT_EQ(ExpandAverage(query.data(), {opposite.data(), 1, 2, 2}, 10), query);
}

}  // namespace
}  // namespace sightline::index::rerank
