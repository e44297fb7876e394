#include "model/engine/int8_rows.h"

#include <cstdio>
#include <limits>
#include <string>

#include "gtest/gtest.h"
#include "tests/model/engine/int8_reference.h"

namespace sightline::model::engine {
namespace {

constexpr uint32_t kRowsSeed = 20261121;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

void ExpectAsPlain(const std::vector<float>& x, const std::string& what) {
  const PlainRow plain = PlainQuantise(x);
  std::vector<uint8_t> codes(x.size(), 99);
  const RowCode row = QuantiseRow(x.data(), x.size(), codes.data());
  EXPECT_EQ(row.scale, plain.scale) << what;
  EXPECT_EQ(row.zero, plain.zero) << what;
  EXPECT_EQ(codes, plain.codes) << what;
}

TEST(Int8Rows, QuantisesAsThePlainReferenceToTheBit) {
  std::printf("seed %u\n", kRowsSeed);
  std::mt19937 generator(kRowsSeed);
  for (const size_t count : {1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 100, 192, 577, 768, 3072}) {
    for (const float deviation : {1e-20f, 1e-3f, 1.0f, 50.0f, 1e20f}) {
      std::vector<float> x = Normal(generator, count, deviation);
      ExpectAsPlain(x, std::to_string(count));
      for (float& value : x) value = std::abs(value);
      ExpectAsPlain(x, std::to_string(count) + " of no negative value");
      for (float& value : x) value = -value;
      ExpectAsPlain(x, std::to_string(count) + " of no positive value");
      x[count / 2] = 1000 * deviation;
      ExpectAsPlain(x, std::to_string(count) + " with one far out");
    }
  }
}

TEST(Int8Rows, RestoresEveryValueWithinHalfAStepAndZeroExactly) {
  std::printf("seed %u\n", kRowsSeed);
  std::mt19937 generator(kRowsSeed);
  for (const float shift : {-30.0f, -1.0f, 0.0f, 0.3f, 12.0f}) {
    std::vector<float> x = Normal(generator, 203, 1);
    for (float& value : x) value += shift;
    x[17] = 0;
    std::vector<uint8_t> codes(x.size());
    const RowCode row = QuantiseRow(x.data(), x.size(), codes.data());
    // The zero point is rounded as well: at the far end of the range a code may be missing, one more half step.
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR(row.scale * static_cast<float>(codes[i] - row.zero), x[i], row.scale * 1.01f) << shift;
    }
    EXPECT_EQ(codes[17], row.zero);
  }
}

TEST(Int8Rows, RowsWithoutARangeAreZeros) {
  for (const float value : {0.0f, -0.0f, 1e-31f, -1e-38f, std::numeric_limits<float>::denorm_min()}) {
    const std::vector<float> x(21, value);
    std::vector<uint8_t> codes(x.size(), 99);
    const RowCode row = QuantiseRow(x.data(), x.size(), codes.data());
    EXPECT_EQ(row.scale, 1.0f);
    EXPECT_EQ(row.zero, 0);
    EXPECT_EQ(codes, std::vector<uint8_t>(x.size(), 0));
  }
}

TEST(Int8Rows, WhatIsNotFiniteGivesANaNScale) {
  for (const float strange : {kNaN, -kNaN, kInfinity, -kInfinity}) {
    for (const size_t place : {0, 5, 15, 16, 30, 36}) {
      std::vector<float> x(37, 1.5f);
      x[place] = strange;
      std::vector<uint8_t> codes(x.size());
      EXPECT_TRUE(std::isnan(QuantiseRow(x.data(), x.size(), codes.data()).scale)) << strange << " at " << place;
    }
  }
  // Finite values whose range is not.
  const std::vector<float> wide = {-3e38f, 0, 3e38f};
  std::vector<uint8_t> codes(wide.size());
  EXPECT_TRUE(std::isnan(QuantiseRow(wide.data(), wide.size(), codes.data()).scale));
}

TEST(Int8Rows, ValuesOfOneScaleAreCutOff) {
  const std::vector<float> x = {0,   0.24f, 0.26f, 0.75f, 1.25f, 63,   64,     127.4f,    127.6f,     200,   -0.3f,
                                -63, -64,   -200,  kNaN,  -kNaN, 1e30, -1e30f, kInfinity, -kInfinity, 127.5f};
  std::vector<uint8_t> codes(x.size());
  QuantiseValues(x.data(), x.size(), 0.5f, /*is_signed=*/false, codes.data());
  EXPECT_EQ(codes,
            (std::vector<uint8_t>{0, 0, 1, 2, 2, 126, 128, 255, 255, 255, 0, 0, 0, 0, 0, 0, 255, 0, 255, 0, 255}));
  QuantiseValues(x.data(), x.size(), 0.5f, /*is_signed=*/true, codes.data());
  const std::vector<int> expected = {0,    0,    1,    2, 2, 126, 127,  127, 127,  127, -1,
                                     -126, -127, -127, 0, 0, 127, -127, 127, -127, 127};
  for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(static_cast<int8_t>(codes[i]), expected[i]) << x[i];
}

TEST(Int8Rows, RestoresToTheBitWithoutAnActivation) {
  std::printf("seed %u\n", kRowsSeed);
  std::mt19937 generator(kRowsSeed);
  std::uniform_int_distribution<int32_t> products(-2'000'000, 90'000'000), sums(-90'000, 90'000);
  for (const size_t count : {1, 5, 16, 19, 64, 77}) {
    const std::vector<float> scales = Normal(generator, count, 0.01f), bias = Normal(generator, count, 1);
    std::vector<int32_t> product(count), sum(count);
    for (size_t n = 0; n < count; ++n) {
      product[n] = products(generator);
      sum[n] = sums(generator);
    }
    const RowCode row{0.037f, 113};
    for (const bool has_bias : {false, true}) {
      for (const bool add : {false, true}) {
        const ColumnCodes columns{scales.data(), sum.data(), has_bias ? bias.data() : nullptr};
        const std::vector<float> before = Normal(generator, count, 3);
        std::vector<float> y = before;
        RestoreRow(product.data(), count, row, columns, Activation::kNone, add, y.data());
        for (size_t n = 0; n < count; ++n) {
          const float exact = static_cast<float>(product[n] - row.zero * sum[n]);
          const float factor = scales[n] * row.scale;
          const float value = std::fma(exact, factor, has_bias ? bias[n] : 0.0f);
          EXPECT_EQ(y[n], add ? value + before[n] : value) << n;
        }
      }
    }
  }
}

TEST(Int8Rows, ActivationsAreWithinTheStatedError) {
  // One column per value: products 1, scales the values.
  std::vector<float> x;
  for (float value = -12; value <= 12; value += 0.0137f) x.push_back(value);
  for (const float value : {-1e4f, -90.0f, -0.0f, 0.0f, 1e-30f, 90.0f, 1e4f}) x.push_back(value);
  const std::vector<int32_t> ones(x.size(), 1), sums(x.size(), 0);
  std::vector<float> y(x.size());
  for (const Activation activation :
       {Activation::kRelu, Activation::kRelu6, Activation::kGelu, Activation::kQuickGelu}) {
    RestoreRow(ones.data(), x.size(), {1, 0}, {x.data(), sums.data(), nullptr}, activation, false, y.data());
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR(y[i], PlainActivate(x[i], activation), 1e-6 * std::max(1.0f, std::abs(x[i]))) << x[i];
    }
  }
}

}  // namespace
}  // namespace sightline::model::engine
