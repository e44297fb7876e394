#include "model/train/whitening.h"

#include <cmath>
#include <cstdio>
#include <limits>
#include <random>

#include "base/status.h"
#include "gtest/gtest.h"

namespace sightline::train {
namespace {

using Matrix = std::vector<std::vector<double>>;

// Keeps the bytes of its rows, from an odd address.
class Rows {
 public:
  explicit Rows(const Matrix& rows) : count_(rows.size()), dim_(rows.empty() ? 0 : rows[0].size()) {
    bytes_.push_back('x');
    for (const auto& row : rows) {
      for (const double value : row) {
        const auto single = static_cast<float>(value);
        bytes_.append(reinterpret_cast<const char*>(&single), sizeof(single));
      }
    }
  }
  Descriptors view() const {
    return {.count = static_cast<int64_t>(count_),
            .dim = static_cast<int64_t>(dim_),
            .bytes = absl::string_view(bytes_).substr(1)};
  }

 private:
  size_t count_, dim_;
  std::string bytes_;
};

std::string Reason(const absl::Status& status) { return base::GetErrorInfo(status).reason; }

// P (x - m)
std::vector<double> Apply(const WhiteningFit& fit, const std::vector<double>& x) {
  std::vector<double> v(static_cast<size_t>(fit.out));
  for (int64_t i = 0; i < fit.out; ++i) {
    for (int64_t j = 0; j < fit.in; ++j) {
      v[static_cast<size_t>(i)] += fit.projection[static_cast<size_t>(i * fit.in + j)] *
                                   (x[static_cast<size_t>(j)] - fit.mean[static_cast<size_t>(j)]);
    }
  }
  return v;
}

// (X - m)(X - m)^T / n of the transformed rows.
Matrix CovarianceAfter(const WhiteningFit& fit, const Matrix& rows) {
  const auto d = static_cast<size_t>(fit.out);
  Matrix sum(d, std::vector<double>(d));
  for (const auto& row : rows) {
    const std::vector<double> v = Apply(fit, row);
    for (size_t i = 0; i < d; ++i) {
      for (size_t j = 0; j < d; ++j) sum[i][j] += v[i] * v[j] / static_cast<double>(rows.size());
    }
  }
  return sum;
}

Matrix Gaussian(size_t count, size_t dim, unsigned seed) {
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Matrix mix(dim, std::vector<double>(dim));
  for (auto& row : mix) {
    for (double& value : row) value = normal(random);
  }
  Matrix rows(count, std::vector<double>(dim));
  for (auto& row : rows) {
    for (size_t j = 0; j < dim; ++j) {
      const double source = normal(random);
      for (size_t i = 0; i < dim; ++i) row[i] += mix[i][j] * source;
    }
    row[0] += 5;
  }
  return rows;
}

TEST(PcaWhiteningTest, KnownAnswer) {
  // Around (1, 2): variance 4 / 2 along the first axis, 1 / 2 along the second.
  const Rows rows({{3, 2}, {-1, 2}, {1, 3}, {1, 1}});
  const auto fit = FitPcaWhitening(rows.view(), 2);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_EQ(fit->mean, (std::vector<float>{1, 2}));
  EXPECT_NEAR(fit->projection[0], 1 / std::sqrt(2.0), 1e-6);
  EXPECT_NEAR(fit->projection[1], 0, 1e-6);
  EXPECT_NEAR(fit->projection[2], 0, 1e-6);
  EXPECT_NEAR(fit->projection[3], std::sqrt(2.0), 1e-6);
  EXPECT_NEAR(fit->kept_variance, 1, 1e-12);
  const auto one = FitPcaWhitening(rows.view(), 1);
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_NEAR(one->kept_variance, 0.8, 1e-6);
  EXPECT_EQ(one->projection.size(), 2u);
}

TEST(PcaWhiteningTest, MakesTheCovarianceTheIdentity) {
  const Matrix data = Gaussian(5'000, 12, 3);
  const auto fit = FitPcaWhitening(Rows(data).view(), 7);
  ASSERT_TRUE(fit.ok()) << fit.status();
  const Matrix covariance = CovarianceAfter(*fit, data);
  for (size_t i = 0; i < 7; ++i) {
    for (size_t j = 0; j < 7; ++j) EXPECT_NEAR(covariance[i][j], i == j ? 1 : 0, 1e-4) << i << "," << j;
  }
  EXPECT_GT(fit->kept_variance, 7.0 / 12);
  EXPECT_LT(fit->kept_variance, 1);
}

TEST(PcaWhiteningTest, RefusesMoreDimensionsThanTheDataVaryIn) {
  const Matrix few = Gaussian(5, 8, 4);
  EXPECT_TRUE(FitPcaWhitening(Rows(few).view(), 4).ok());
  const auto fit = FitPcaWhitening(Rows(few).view(), 5);
  EXPECT_EQ(Reason(fit.status()), "WHITENING_DIM");
  EXPECT_NE(fit.status().message().find("vary in 4"), absl::string_view::npos) << fit.status();
  EXPECT_EQ(Reason(FitPcaWhitening(Rows({{1, 2}, {1, 2}}).view(), 1).status()), "WHITENING_DIM");
  EXPECT_EQ(Reason(FitPcaWhitening(Rows(few).view(), 9).status()), "WHITENING_DIM");
  EXPECT_EQ(Reason(FitPcaWhitening(Rows(few).view(), 0).status()), "WHITENING_DIM");
  EXPECT_EQ(Reason(FitPcaWhitening({}, 1).status()), "WHITENING_EMPTY");
}

TEST(WhiteningTest, RefusesValuesThatAreNotFinite) {
  Matrix data = Gaussian(20, 3, 5);
  data[7][1] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(Reason(FitPcaWhitening(Rows(data).view(), 2).status()), "WHITENING_NOT_FINITE");
  const std::vector<Pair> pairs = {{7, 8}, {1, 2}};
  EXPECT_EQ(Reason(FitLearnedWhitening(Rows(data).view(), pairs, 2).status()), "WHITENING_NOT_FINITE");
  const std::vector<Pair> others = {{1, 2}, {3, 4}, {5, 6}, {9, 10}};
  EXPECT_EQ(Reason(FitLearnedWhitening(Rows(data).view(), others, 2).status()), "WHITENING_NOT_FINITE");
}

TEST(LearnedWhiteningTest, KnownAnswer) {
  // Pairs differ by 2 along the first axis and by 1/2 along the second: S = diag(2, 1/8). The queries' mean is (2, 2).
  const Matrix data = {{1, 4}, {3, 4}, {3, 0}, {3, 0.5}};
  const std::vector<Pair> pairs = {{0, 1}, {2, 3}};
  const auto fit = FitLearnedWhitening(Rows(data).view(), pairs, 2);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_EQ(fit->mean, (std::vector<float>{2, 2}));
  // The inverse factor is diag(1/sqrt(2), sqrt(8)); what follows is a rotation, so that differences keep covariance I.
  Matrix differences;
  for (const auto& [q, p] : pairs) {
    std::vector<double> row = {fit->mean[0], fit->mean[1]};
    for (size_t j = 0; j < 2; ++j) row[j] += data[static_cast<size_t>(q)][j] - data[static_cast<size_t>(p)][j];
    differences.push_back(row);
  }
  const Matrix white = CovarianceAfter(*fit, differences);
  EXPECT_NEAR(white[0][0], 1, 1e-5);
  EXPECT_NEAR(white[0][1], 0, 1e-5);
  EXPECT_NEAR(white[1][1], 1, 1e-5);
  // And the rotation is to the principal axes of the data.
  const Matrix covariance = CovarianceAfter(*fit, data);
  EXPECT_NEAR(covariance[0][1], 0, 1e-4);
  EXPECT_GT(covariance[0][0], covariance[1][1]);
}

TEST(LearnedWhiteningTest, TakesPairsOfNoVarianceInSomeDirection) {
  const Matrix data = Gaussian(30, 6, 6);
  const std::vector<Pair> pairs = {{0, 1}, {2, 3}};
  const auto fit = FitLearnedWhitening(Rows(data).view(), pairs, 3);
  ASSERT_TRUE(fit.ok()) << fit.status();
  for (const float value : fit->projection) EXPECT_TRUE(std::isfinite(value));
  const std::vector<Pair> same = {{4, 4}};
  EXPECT_TRUE(FitLearnedWhitening(Rows(data).view(), same, 3).ok());
  EXPECT_EQ(Reason(FitLearnedWhitening(Rows(data).view(), {}, 3).status()), "WHITENING_PAIRS");
}

TEST(LearnedWhiteningTest, FindsWhatTellsThingsApart) {
  // Forty things in two dimensions, seen three times each with noise in eight others.
  const unsigned seed = 8;
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Matrix data;
  std::vector<Pair> pairs;
  for (int thing = 0; thing < 40; ++thing) {
    const double x = normal(random), y = normal(random);
    const auto first = static_cast<int64_t>(data.size());
    for (int view = 0; view < 3; ++view) {
      std::vector<double> row(10);
      for (double& value : row) value = 3 * normal(random);
      row[3] = x + 0.05 * normal(random);
      row[6] = y + 0.05 * normal(random);
      data.push_back(row);
    }
    pairs.insert(pairs.end(), {{first, first + 1}, {first, first + 2}, {first + 1, first + 2}});
  }
  const auto fit = FitLearnedWhitening(Rows(data).view(), pairs, 2);
  ASSERT_TRUE(fit.ok()) << fit.status();
  for (size_t i = 0; i < 2; ++i) {
    for (size_t j = 0; j < 10; ++j) {
      const double weight = std::abs(fit->projection[i * 10 + j]);
      if (j == 3 || j == 6) continue;
      EXPECT_LT(weight, 2) << i << "," << j;
    }
    EXPECT_GT(std::hypot(fit->projection[i * 10 + 3], fit->projection[i * 10 + 6]), 8) << i;
  }
}

}  // namespace
}  // namespace sightline::train
