#include "model/engine/softmax.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace sightline::model::engine {
namespace {

TEST(ExpOfRow, AgreesWithTheDefinition) {
  constexpr int kSeed = 7;
  std::printf("seed %d\n", kSeed);
  std::mt19937 random(kSeed);
  for (const size_t count : {1, 3, 15, 16, 33, 197, 1024}) {
    for (const float spread : {0.0f, 1e-6f, 1.0f, 20.0f, 80.0f}) {
      std::uniform_real_distribution<float> uniform(-spread, spread);
      std::vector<float> row(count);
      for (float& value : row) value = uniform(random);
      const std::vector<float> before = row;
      const float max = *std::max_element(row.begin(), row.end());
      const float sum = ExpOfRow(row.data(), count);
      double want_sum = 0;
      for (size_t i = 0; i < count; ++i) {
        const double want = std::exp(static_cast<double>(before[i] - max));
        want_sum += want;
        if (before[i] - max > -87) {
          EXPECT_NEAR(row[i], want, 3e-7 * want) << before[i] - max;
        } else {
          EXPECT_LE(row[i], 1.7e-38f);
        }
      }
      EXPECT_NEAR(sum, want_sum, 1e-5 * want_sum);
      EXPECT_GE(sum, 1);
    }
  }
}

TEST(ExpOfRow, OfInfinitiesBelowTheLargestIsNothing) {
  std::vector<float> row(20, -INFINITY);
  row[3] = 5;
  EXPECT_FLOAT_EQ(ExpOfRow(row.data(), row.size()), 1);
  EXPECT_EQ(row[3], 1);
  EXPECT_LE(row[19], 1.7e-38f);
}

TEST(SoftmaxGradientOfRow, AgreesWithTheDefinition) {
  constexpr int kSeed = 8;
  std::printf("seed %d\n", kSeed);
  std::mt19937 random(kSeed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (const size_t count : {1, 3, 15, 16, 33, 197, 1024}) {
    std::vector<float> p(count), gradient(count);
    for (float& value : p) value = uniform(random) * 5;
    Scale(p.data(), count, 1 / ExpOfRow(p.data(), count));
    for (float& value : gradient) value = uniform(random);
    double sum = 0;
    for (size_t i = 0; i < count; ++i) sum += static_cast<double>(p[i]) * gradient[i];
    const std::vector<float> before = gradient;
    SoftmaxGradientOfRow(p.data(), count, gradient.data());
    for (size_t i = 0; i < count; ++i) EXPECT_NEAR(gradient[i], p[i] * (before[i] - sum), 1e-6 * p[i] + 1e-12);
  }
}

}  // namespace
}  // namespace sightline::model::engine
