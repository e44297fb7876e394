#include "model/calibration/input_histogram.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "model/calibration/input_observer.h"

namespace sightline::model {
namespace {

constexpr uint32_t kHistogramSeed = 99;

std::vector<float> NormalValues(size_t count, float deviation) {
  std::printf("seed %u\n", kHistogramSeed);
  std::mt19937 generator(kHistogramSeed);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> values(count);
  for (float& value : values) value = normal(generator);
  return values;
}

// What the values lose, squared, when they become bytes.
double Loss(const std::vector<float>& values, double scale, bool is_signed) {
  double loss = 0;
  for (const double value : values) {
    const double code = std::clamp(std::nearbyint(value / scale), is_signed ? -127.0 : 0.0, is_signed ? 127.0 : 255.0);
    loss += (value - code * scale) * (value - code * scale);
  }
  return loss;
}

TEST(InputHistogram, TheScaleLosesHardlyMoreThanTheBestOne) {
  for (const bool is_signed : {false, true}) {
    for (const float outlier : {0.0f, 20.0f, 400.0f}) {
      std::vector<float> values = NormalValues(40000, 1.7f);
      if (!is_signed) {
        for (float& value : values) value = std::max(value, 0.0f);
      }
      values[7] = outlier;
      InputHistogram histogram;
      histogram.Add(values);
      const InputScale chosen = histogram.Choose();
      EXPECT_EQ(chosen.is_signed, is_signed);
      double best = std::numeric_limits<double>::infinity();
      for (double scale = 0.001; scale < 4; scale *= 1.01) best = std::min(best, Loss(values, scale, is_signed));
      EXPECT_LT(Loss(values, chosen.scale, is_signed), 1.1 * best) << outlier;
    }
  }
}

TEST(InputHistogram, AnEvenSpreadIsNotCutOff) {
  std::vector<float> values;
  for (int i = 0; i <= 10000; ++i) values.push_back(static_cast<float>(i) * 1e-3f);
  InputHistogram histogram;
  histogram.Add(values);
  EXPECT_NEAR(histogram.Choose().scale, 10.0 / 255, 0.01 * 10.0 / 255);
  EXPECT_FALSE(histogram.Choose().is_signed);
}

TEST(InputHistogram, TheOrderOfImagesHardlyMatters) {
  const std::vector<float> small = NormalValues(5000, 0.01f), large = NormalValues(5000, 30);
  InputHistogram rising, falling;
  rising.Add(small);
  rising.Add(large);
  falling.Add(large);
  falling.Add(small);
  EXPECT_NEAR(rising.Choose().scale, falling.Choose().scale, 0.01 * falling.Choose().scale);
}

TEST(InputHistogram, WhatIsNotThereOrNotANumberChangesNothing) {
  InputHistogram empty;
  EXPECT_EQ(empty.Choose(), (InputScale{1, false}));
  empty.Add({});
  empty.Add(std::vector<float>(100, 0.0f));
  EXPECT_EQ(empty.Choose(), (InputScale{1, false}));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> strange = {std::nanf(""), -std::nanf(""), kInfinity, -kInfinity, 3e38f, -3e38f, 1e-40f};
  empty.Add(strange);
  EXPECT_EQ(empty.Choose(), (InputScale{1, false}));

  std::vector<float> values = NormalValues(1000, 1);
  InputHistogram plain, mixed;
  plain.Add(values);
  values.insert(values.begin() + 500, strange.begin(), strange.end());
  mixed.Add(values);
  EXPECT_EQ(plain.Choose(), mixed.Choose());
}

TEST(InputObserver, KeepsLayersApartAndLooksAtLargeMapsInPart) {
  InputObserver observer;
  std::vector<float> large(3'000'000, 0.5f);
  for (size_t i = 0; i < large.size(); i += 2) large[i] = -0.25f;
  observer.See("large", large);
  observer.See("small", std::vector<float>{1, 2, 3});
  const auto scales = observer.Scales();
  ASSERT_EQ(scales.size(), 2u);
  EXPECT_TRUE(scales.at("large").is_signed);
  EXPECT_NEAR(scales.at("large").scale, 0.5 / 127, 0.02 * 0.5 / 127);
  EXPECT_FALSE(scales.at("small").is_signed);
}

}  // namespace
}  // namespace sightline::model
