// The subspace of patch tokens against plain loops: what it keeps, that nothing of its size keeps more, and what it
// refuses.
#include "model/train/token_pca.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "base/status.h"
#include "tests/support/seed.h"

namespace sightline::train {
namespace {

// Unit tokens near a few directions, (n, dim).
std::vector<float> ClusteredTokens(std::mt19937& random, size_t n, size_t dim, size_t directions) {
  std::normal_distribution<float> normal;
  std::vector<float> axes(directions * dim);
  for (float& value : axes) value = normal(random);
  std::vector<float> tokens;
  for (size_t t = 0; t < n; ++t) {
    std::vector<double> token(dim);
    for (size_t a = 0; a < directions; ++a) {
      const double weight = std::abs(normal(random)) / static_cast<double>(a + 1);
      for (size_t i = 0; i < dim; ++i) token[i] += weight * axes[a * dim + i] + 0.05 * normal(random);
    }
    double squares = 0;
    for (const double value : token) squares += value * value;
    for (const double value : token) tokens.push_back(static_cast<float>(value / std::sqrt(squares)));
  }
  return tokens;
}

// The share of the tokens' squared length that is in the span of the columns of `basis` (dim, out).
double EnergyIn(const std::vector<float>& tokens, const std::vector<float>& basis, size_t dim, size_t out) {
  double all = 0, kept = 0;
  for (size_t t = 0; t < tokens.size(); t += dim) {
    for (size_t i = 0; i < dim; ++i) all += static_cast<double>(tokens[t + i]) * tokens[t + i];
    for (size_t c = 0; c < out; ++c) {
      double product = 0;
      for (size_t i = 0; i < dim; ++i) product += static_cast<double>(tokens[t + i]) * basis[i * out + c];
      kept += product * product;
    }
  }
  return kept / all;
}

TEST(TokenPcaTest, KeepsMoreEnergyThanAnyOtherSubspace) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  constexpr size_t kTokens = 301, kDim = 17, kOut = 5;
  const std::vector<float> tokens = ClusteredTokens(random, kTokens, kDim, 6);
  TokenMoments moments(kDim);
  // In pieces of odd sizes.
  for (size_t t = 0; t < kTokens;) {
    const size_t piece = std::min(kTokens - t, 1 + random() % 60);
    moments.Add(absl::MakeConstSpan(tokens).subspan(t * kDim, piece * kDim));
    t += piece;
  }
  EXPECT_EQ(moments.count(), static_cast<int64_t>(kTokens));
  const auto basis = moments.Fit(kOut);
  ASSERT_TRUE(basis.ok()) << basis.status();
  for (size_t a = 0; a < kOut; ++a) {
    for (size_t b = 0; b <= a; ++b) {
      double product = 0;
      for (size_t i = 0; i < kDim; ++i) product += basis->matrix[i * kOut + a] * basis->matrix[i * kOut + b];
      EXPECT_NEAR(product, a == b ? 1 : 0, 1e-5);
    }
  }
  const double kept = EnergyIn(tokens, basis->matrix, kDim, kOut);
  EXPECT_NEAR(kept, basis->kept_energy, 1e-5);
  // A turn by a little towards any other direction loses energy.
  std::normal_distribution<float> normal;
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<float> other(kDim * kOut);
    for (size_t i = 0; i < other.size(); ++i) other[i] = basis->matrix[i] + 0.1f * normal(random);
    for (size_t a = 0; a < kOut; ++a) {  // Gram-Schmidt
      for (size_t b = 0; b <= a; ++b) {
        double product = 0;
        for (size_t i = 0; i < kDim; ++i) product += static_cast<double>(other[i * kOut + a]) * other[i * kOut + b];
        for (size_t i = 0; i < kDim; ++i) {
          float& value = other[i * kOut + a];
          value = static_cast<float>(b == a ? value / std::sqrt(product) : value - product * other[i * kOut + b]);
        }
      }
    }
    EXPECT_LE(EnergyIn(tokens, other, kDim, kOut), kept + 1e-6);
  }
}

TEST(TokenPcaTest, AllDimensionsKeepEveryCosine) {
  std::mt19937 random(3);
  const std::vector<float> tokens = ClusteredTokens(random, 100, 9, 9);
  TokenMoments moments(9);
  moments.Add(tokens);
  const auto basis = moments.Fit(9);
  ASSERT_TRUE(basis.ok()) << basis.status();
  EXPECT_NEAR(basis->kept_energy, 1, 1e-9);
  const CosineAgreement agreement = CompareCosines(tokens, basis->matrix, 9, 9);
  EXPECT_LT(agreement.mean_difference, 1e-5);
  EXPECT_NEAR(agreement.correlation, 1, 1e-6);
}

TEST(TokenPcaTest, ComparesCosinesAsPlainLoopsDo) {
  std::mt19937 random(4);
  constexpr size_t kTokens = 23, kIn = 7, kOut = 3;
  const std::vector<float> tokens = ClusteredTokens(random, kTokens, kIn, 7);
  std::normal_distribution<float> normal;
  std::vector<float> projection(kIn * kOut);
  for (float& value : projection) value = normal(random);
  std::vector<double> before, after;
  const std::vector<float> projected = Product(tokens, projection, kTokens, kIn, kOut);
  const auto cosine = [](const std::vector<float>& rows, size_t dim, size_t a, size_t b) {
    double product = 0, left = 0, right = 0;
    for (size_t i = 0; i < dim; ++i) {
      product += static_cast<double>(rows[a * dim + i]) * rows[b * dim + i];
      left += static_cast<double>(rows[a * dim + i]) * rows[a * dim + i];
      right += static_cast<double>(rows[b * dim + i]) * rows[b * dim + i];
    }
    return product / std::sqrt(left * right);
  };
  for (size_t a = 0; a < kTokens; ++a) {
    for (size_t b = a + 1; b < kTokens; ++b) {
      before.push_back(cosine(tokens, kIn, a, b));
      after.push_back(cosine(projected, kOut, a, b));
    }
  }
  const auto n = static_cast<double>(before.size());
  double difference = 0, mean_x = 0, mean_y = 0, xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    difference += std::abs(after[i] - before[i]) / n;
    mean_x += before[i] / n;
    mean_y += after[i] / n;
  }
  for (size_t i = 0; i < before.size(); ++i) {
    xy += (before[i] - mean_x) * (after[i] - mean_y);
    xx += (before[i] - mean_x) * (before[i] - mean_x);
    yy += (after[i] - mean_y) * (after[i] - mean_y);
  }
  const CosineAgreement agreement = CompareCosines(tokens, projection, kIn, kOut);
  EXPECT_NEAR(agreement.mean_difference, difference, 1e-5);
  EXPECT_NEAR(agreement.correlation, xy / std::sqrt(xx * yy), 1e-5);
}

TEST(TokenPcaTest, RefusesMoreDimensionsThanTheTokensFill) {
  std::mt19937 random(5);
  TokenMoments moments(12);
  moments.Add(ClusteredTokens(random, 4, 12, 12));
  EXPECT_TRUE(moments.Fit(4).ok());
  const absl::Status status = moments.Fit(5).status();
  EXPECT_EQ(base::GetErrorInfo(status).reason, "TOKENS_DIM");
  EXPECT_EQ(status.message(),
            "tokens of 5 dimensions are asked for; the 4 tokens to fit to fill 4. Ask for at most that, or give more "
            "images.");
}

}  // namespace
}  // namespace sightline::train
