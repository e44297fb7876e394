// The rules that re-order a shortlist, against their formulas written out in double precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "index/kernels/inner_product.h"
#include "index/rerank/gram.h"
#include "index/rerank/k_reciprocal.h"
#include "index/rerank/super_global.h"
#include "tests/index/clusters.h"
#include "tests/support/seed.h"

namespace sightline::index::rerank {
namespace {

using Matrix = std::vector<std::vector<double>>;

Matrix Copy(const DescriptorRows& rows) {
  Matrix result;
  for (size_t i = 0; i < rows.count; ++i) result.emplace_back(rows.Row(i), rows.Row(i) + rows.dim);
  return result;
}

double Dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t d = 0; d < a.size(); ++d) sum += a[d] * b[d];
  return sum;
}

// The whole of it with every x~ in full, as the formula stands.
std::vector<double> SuperGlobalReference(const std::vector<double>& query, const Matrix& x, size_t neighbours,
                                         double beta) {
  const size_t n = x.size();
  Matrix refined;
  std::vector<double> first;
  for (size_t i = 0; i < n; ++i) {
    std::vector<double> cosines;
    for (size_t j = 0; j < n; ++j) {
      cosines.push_back(j == i ? std::numeric_limits<double>::infinity() : Dot(x[i], x[j]));
    }
    const std::vector<size_t> order = OrderByScore(cosines);
    std::vector<double> sum = x[i];
    double total = 1;
    for (size_t a = 1; a < std::min(neighbours, n); ++a) {
      const double weight = beta * std::max(cosines[order[a]], 0.0);
      for (size_t d = 0; d < sum.size(); ++d) sum[d] += weight * x[order[a]][d];
      total += weight;
    }
    for (double& value : sum) value /= total;
    first.push_back(Dot(query, sum));
    refined.push_back(sum);
  }
  std::vector<double> maximum(query.size(), -std::numeric_limits<double>::infinity());
  const std::vector<size_t> best = OrderByScore(first);
  for (size_t a = 0; a < std::min(neighbours, n); ++a) {
    for (size_t d = 0; d < maximum.size(); ++d) maximum[d] = std::max(maximum[d], refined[best[a]][d]);
  }
  std::vector<double> scores;
  for (size_t i = 0; i < n; ++i) scores.push_back((first[i] + Dot(maximum, refined[i])) / 2);
  return scores;
}

// Sets and whole matrices, as the paper writes it.
std::vector<double> ReciprocalReference(const std::vector<double>& query, const Matrix& x, size_t k1, size_t k2,
                                        double lambda) {
  Matrix rows = {query};
  rows.insert(rows.end(), x.begin(), x.end());
  const size_t n = rows.size();
  Matrix distance(n, std::vector<double>(n));
  std::vector<std::vector<size_t>> ranks;
  for (size_t i = 0; i < n; ++i) {
    double greatest = 0;
    for (size_t j = 0; j < n; ++j) {
      distance[i][j] = i == j ? 0 : std::max(0.0, 2 - 2 * Dot(rows[i], rows[j]));
      greatest = std::max(greatest, distance[i][j]);
    }
    for (double& value : distance[i]) value = greatest == 0 ? 0 : value / greatest;
    std::vector<double> nearness;
    for (size_t j = 0; j < n; ++j) nearness.push_back(i == j ? 1 : -distance[i][j]);
    ranks.push_back(OrderByScore(nearness));
  }
  const auto nearest = [&](size_t i, size_t k) {
    const auto begin = ranks[i].begin();
    return std::set<size_t>(begin, begin + static_cast<std::ptrdiff_t>(std::min(k + 1, n)));
  };
  const auto reciprocal = [&](size_t i, size_t k) {
    std::set<size_t> result;
    for (const size_t j : nearest(i, k)) {
      if (nearest(j, k).count(i) != 0) result.insert(j);
    }
    return result;
  };
  Matrix weights(n, std::vector<double>(n));
  for (size_t i = 0; i < n; ++i) {
    const std::set<size_t> core = reciprocal(i, k1);
    std::set<size_t> expanded = core;
    for (const size_t j : core) {
      const std::set<size_t> others = reciprocal(j, (k1 + 1) / 2);
      size_t common = 0;
      for (const size_t other : others) common += core.count(other);
      if (static_cast<double>(common) > 2.0 / 3 * static_cast<double>(others.size()) + 1e-9) {
        expanded.insert(others.begin(), others.end());
      }
    }
    double total = 0;
    for (const size_t j : expanded) total += std::exp(-distance[i][j]);
    for (const size_t j : expanded) weights[i][j] = std::exp(-distance[i][j]) / total;
  }
  Matrix mean(n, std::vector<double>(n));
  const size_t kept = std::min(k2, n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t a = 0; a < kept; ++a) {
      for (size_t j = 0; j < n; ++j) mean[i][j] += weights[ranks[i][a]][j] / static_cast<double>(kept);
    }
  }
  std::vector<double> scores;
  for (size_t i = 1; i < n; ++i) {
    double least = 0;
    for (size_t j = 0; j < n; ++j) least += std::min(mean[0][j], mean[i][j]);
    const double jaccard = 1 - least / (2 - least);
    scores.push_back(1 - (1 - lambda) * jaccard - lambda * distance[0][i]);
  }
  return scores;
}

// A clustered shortlist and a query, in multiples of 1/64: single precision then adds their products without error, so
// that code and reference agree on who is nearer, and on ties, which every third row brings by repeating another.
struct Shortlist {
  Shortlist(std::mt19937& random, size_t count, size_t dim, float noise) {
    const Clusters clusters(random, 5, count, dim, noise);
    query = clusters.Members(random, 1, noise);
    rounded_query = Round(query);
    data = Round(clusters.rows);
    for (size_t i = 2; i < count; i += 3) {
      const float* twin = data.data() + random() % i * dim;
      std::copy(twin, twin + dim, data.begin() + static_cast<std::ptrdiff_t>(i * dim));
    }
    rows = {data.data(), count, dim, dim};
  }

  static std::vector<float> Round(std::vector<float> values) {
    for (float& value : values) value = std::round(value * 64) / 64;
    return values;
  }

  std::vector<float> query;  // as it is: rounded, it would be equally near to rows that have little else in common
  std::vector<float> rounded_query;
  std::vector<float> data;
  DescriptorRows rows;
};

void ExpectNear(const std::vector<float>& actual, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], tolerance) << "candidate " << i;
}

TEST(GramTest, AgreesWithTheReferenceAtEverySize) {
  std::mt19937 random(7);
  for (const size_t count : {0, 1, 2, 3, 4, 5, 31, 32, 33, 63, 66, 101}) {
    for (const size_t dim : {1, 15, 64, 67}) {
      SCOPED_TRACE(absl::StrCat(count, " x ", dim));
      const size_t stride = dim + random() % 3;
      std::uniform_real_distribution<float> uniform(-1, 1);
      std::vector<float> data(count * stride);
      for (float& value : data) value = uniform(random);
      const DescriptorRows rows{data.data(), count, dim, stride};
      const std::vector<float> gram = Gram(rows);
      ASSERT_EQ(gram.size(), count * count);
      for (size_t i = 0; i < count; ++i) {
        for (size_t j = 0; j < count; ++j) {
          EXPECT_EQ(gram[i * count + j], gram[j * count + i]);
          EXPECT_NEAR(gram[i * count + j], kernels::InnerProductReference(rows.Row(i), rows.Row(j), dim), 1e-4);
        }
      }
    }
  }
}

TEST(SuperGlobalTest, AgreesWithTheFormula) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (const size_t count : {1, 2, 5, 9, 10, 11, 50, 131}) {
    for (const size_t dim : {3, 16, 65, 200}) {
      for (const size_t neighbours : {1, 2, 10, 300}) {
        SCOPED_TRACE(absl::StrCat(count, " x ", dim, ", K ", neighbours));
        const Shortlist list(random, count, dim, 0.8f);
        ExpectNear(SuperGlobalScores(list.query.data(), list.rows, {.neighbours = neighbours, .beta = 0.15f}),
                   SuperGlobalReference({list.query.begin(), list.query.end()}, Copy(list.rows), neighbours, 0.15f),
                   2e-5);
      }
    }
  }
}

TEST(SuperGlobalTest, TheDefaultsAreThePapers) {
  std::mt19937 random(3);
  const Shortlist list(random, 120, 32, 0.8f);
  ExpectNear(SuperGlobalScores(list.query.data(), list.rows),
             SuperGlobalReference({list.query.begin(), list.query.end()}, Copy(list.rows), 10, 0.15), 2e-5);
}

TEST(SuperGlobalTest, DegenerateShortlists) {
  EXPECT_TRUE(SuperGlobalScores(nullptr, {nullptr, 0, 8, 8}).empty());

  // Alone, a candidate is compared with itself: S1 is its cosine, S2 its square.
  const std::vector<float> query = {0.6f, 0.8f};
  const std::vector<float> one = {1, 0};
  ExpectNear(SuperGlobalScores(query.data(), {one.data(), 1, 2, 2}), {(0.6 + 1) / 2}, 1e-6);

  // Equal candidates stay equal, whatever their number.
  std::vector<float> equal;
  for (int i = 0; i < 50; ++i) equal.insert(equal.end(), query.begin(), query.end());
  ExpectNear(SuperGlobalScores(query.data(), {equal.data(), 50, 2, 2}), std::vector<double>(50, 1), 1e-6);

  // Opposite ones would make the sum of the weights zero or less: 1 + 0.15 * 9 * -1.
  std::vector<float> opposite = {1, 0};
  for (int i = 0; i < 9; ++i) opposite.insert(opposite.end(), {-1, 0});
  for (const float score : SuperGlobalScores(query.data(), {opposite.data(), 10, 2, 2})) {
    EXPECT_TRUE(std::isfinite(score));
    EXPECT_LE(std::abs(score), 1 + 1e-6);
  }

  // Zeros among them are nobody's neighbours and score zero.
  const std::vector<float> zeros = {0, 0, 0.6f, 0.8f, 0, 0};
  const std::vector<float> scores = SuperGlobalScores(query.data(), {zeros.data(), 3, 2, 2});
  EXPECT_EQ(scores[0], 0);
  EXPECT_NEAR(scores[1], 1, 1e-6);
  EXPECT_EQ(scores[2], 0);
}

TEST(ReciprocalTest, AgreesWithTheFormula) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (const size_t count : {1, 2, 3, 7, 20, 21, 22, 60}) {
    for (const size_t dim : {16, 65}) {
      for (const auto& [k1, k2] : std::vector<std::pair<size_t, size_t>>{{20, 6}, {1, 1}, {7, 3}, {5, 12}, {25, 400}}) {
        SCOPED_TRACE(absl::StrCat(count, " x ", dim, ", k1 ", k1, ", k2 ", k2));
        const Shortlist list(random, count, dim, 0.7f);
        ExpectNear(
            ReciprocalScores(list.rounded_query.data(), list.rows, {.k1 = k1, .k2 = k2, .lambda = 0.3f}),
            ReciprocalReference({list.rounded_query.begin(), list.rounded_query.end()}, Copy(list.rows), k1, k2, 0.3f),
            1e-4);
      }
    }
  }
}

TEST(ReciprocalTest, TheDefaultsAreThePapers) {
  std::mt19937 random(4);
  const Shortlist list(random, 100, 32, 0.7f);
  ExpectNear(ReciprocalScores(list.rounded_query.data(), list.rows),
             ReciprocalReference({list.rounded_query.begin(), list.rounded_query.end()}, Copy(list.rows), 20, 6, 0.3),
             1e-4);
}

TEST(ReciprocalTest, DegenerateShortlists) {
  EXPECT_TRUE(ReciprocalScores(nullptr, {nullptr, 0, 8, 8}).empty());
  const std::vector<float> query = {1, 0};
  std::vector<float> equal;
  for (int i = 0; i < 50; ++i) equal.insert(equal.end(), query.begin(), query.end());
  const std::vector<float> scores = ReciprocalScores(query.data(), {equal.data(), 50, 2, 2});
  ASSERT_EQ(scores.size(), 50u);
  for (const float score : scores) {
    EXPECT_GE(score, 0);
    EXPECT_LE(score, 1 + 1e-6);
  }
  // A candidate that is the query beats one that is its opposite.
  const std::vector<float> two = {-1, 0, 1, 0};
  const std::vector<float> pair = ReciprocalScores(query.data(), {two.data(), 2, 2, 2});
  EXPECT_GT(pair[1], pair[0]);
}

}  // namespace
}  // namespace sightline::index::rerank
