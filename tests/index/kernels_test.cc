// SIMD kernels against their definitions.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "index/kernels/float16.h"
#include "index/kernels/inner_product.h"
#include "tests/index/simd_levels.h"
#include "tests/support/seed.h"

namespace sightline::index::kernels {
namespace {

TEST(InnerProductTest, AgreesWithTheReferenceAtEveryLength) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed, ", level ", LevelName()));
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (size_t dim = 1; dim <= 200; ++dim) {
    const size_t stride = dim + random() % 5;
    constexpr size_t kRows = 11;
    std::vector<float> query(dim), rows(stride * kRows), out(kRows);
    for (float& value : query) value = uniform(random);
    for (float& value : rows) value = uniform(random);
    ForEachSimdLevel([&] {
      InnerProducts(query.data(), rows.data(), dim, stride, kRows, out.data());
      for (size_t r = 0; r < kRows; ++r) {
        const double expected = InnerProductReference(query.data(), rows.data() + r * stride, dim);
        EXPECT_NEAR(out[r], expected, 1e-6 * static_cast<double>(dim));
      }
    });
  }
}

TEST(InnerProductTest, ARowsResultDoesNotDependOnItsPlace) {
  std::mt19937 random(5);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (const size_t dim : {1, 5, 15, 16, 31, 33, 63, 64, 65, 129, 1536}) {
    std::vector<float> query(dim), row(dim), rows;
    for (float& value : query) value = uniform(random);
    for (float& value : row) value = uniform(random);
    for (int i = 0; i < 7; ++i) rows.insert(rows.end(), row.begin(), row.end());
    float out[7];
    InnerProducts(query.data(), rows.data(), dim, dim, 7, out);
    for (const float score : out) EXPECT_EQ(std::bit_cast<uint32_t>(score), std::bit_cast<uint32_t>(out[0])) << dim;
  }
}

TEST(InnerProductTest, AQueryScoresTheSameInABlock) {
  std::mt19937 random(6);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (const size_t dim : {1, 3, 16, 31, 64, 65, 100, 129, 1536}) {
    constexpr size_t kRows = 3, kQueries = 11, kOutStride = 5;
    std::vector<std::vector<float>> queries(kQueries, std::vector<float>(dim));
    std::vector<const float*> pointers;
    for (auto& query : queries) {
      for (float& value : query) value = uniform(random);
      pointers.push_back(query.data());
    }
    std::vector<float> rows(kRows * dim);
    for (float& value : rows) value = uniform(random);
    for (size_t n = 0; n <= kQueries; ++n) {
      ForEachSimdLevel([&] {
        std::vector<float> out(kQueries * kOutStride, -9);
        InnerProductsBlock(pointers.data(), n, rows.data(), dim, dim, kRows, out.data(), kOutStride);
        for (size_t q = 0; q < kQueries; ++q) {
          std::vector<float> expected(kOutStride, -9);
          if (q < n) InnerProducts(pointers[q], rows.data(), dim, dim, kRows, expected.data());
          for (size_t r = 0; r < kOutStride; ++r) ASSERT_EQ(out[q * kOutStride + r], expected[r]) << dim;
        }
      });
    }
  }
}

TEST(InnerProductTest, HalvesScoreAsTheFloatsTheyStandFor) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (const size_t dim : {1, 3, 16, 31, 64, 65, 100, 129, 1536}) {
    constexpr size_t kRows = 300;
    const size_t stride = dim + random() % 3;
    std::vector<float> query(dim), floats(kRows * stride), expected(kRows), out(kRows);
    for (float& value : query) value = uniform(random);
    std::vector<uint16_t> halves(kRows * stride);
    // Any bits: subnormal halves, infinities and NaN among them.
    for (uint16_t& half : halves) half = static_cast<uint16_t>(random());
    for (size_t i = 0; i < halves.size(); ++i) {
      if (i / stride % 2 == 0) halves[i] = Float16FromFloat(uniform(random));
      floats[i] = FloatFromFloat16(halves[i]);
    }
    ForEachSimdLevel([&] {
      InnerProducts(query.data(), floats.data(), dim, stride, kRows, expected.data());
      InnerProductsHalf(query.data(), halves.data(), dim, stride, kRows, out.data());
      for (size_t r = 0; r < kRows; ++r) {
        ASSERT_TRUE(out[r] == expected[r] || (std::isnan(out[r]) && std::isnan(expected[r])))
            << out[r] << " for " << expected[r] << ", dim " << dim << ", row " << r;
      }
    });
  }
}

TEST(InnerProductTest, EveryHalfIsReadRight) {
  // One hot at every place of a vector and of its tail.
  for (const size_t dim : {1, 15, 16, 64}) {
    std::vector<float> query(dim, 0);
    std::vector<uint16_t> row(dim, 0);
    for (size_t at = 0; at < dim; at += 7) {
      query.assign(dim, 0);
      row.assign(dim, 0);
      query[at] = 1;
      ForEachSimdLevel([&] {
        for (uint32_t half = 0; half < 0x10000; half += 11) {
          row[at] = static_cast<uint16_t>(half);
          float out = -1;
          InnerProductsHalf(query.data(), row.data(), dim, dim, 1, &out);
          const float expected = FloatFromFloat16(row[at]);
          ASSERT_TRUE(out == expected || (std::isnan(out) && std::isnan(expected))) << half;
        }
      });
    }
  }
}

TEST(InnerProductTest, ZerosDenormalsAndSpecialValues) {
  const float kDenormal = std::numeric_limits<float>::denorm_min();
  const float kInf = std::numeric_limits<float>::infinity();
  for (const size_t dim : {1, 15, 16, 33, 70}) {
    std::vector<float> ones(dim, 1), values(dim, 0);
    float out = -1;
    InnerProducts(ones.data(), values.data(), dim, dim, 1, &out);
    EXPECT_EQ(out, 0);
    values.assign(dim, kDenormal);
    InnerProducts(ones.data(), values.data(), dim, dim, 1, &out);
    EXPECT_EQ(out, static_cast<float>(dim) * kDenormal);
    for (const size_t at : {size_t{0}, dim / 2, dim - 1}) {
      values.assign(dim, 0.5f);
      values[at] = kInf;
      InnerProducts(ones.data(), values.data(), dim, dim, 1, &out);
      EXPECT_EQ(out, kInf);
      values[at] = std::nanf("");
      InnerProducts(ones.data(), values.data(), dim, dim, 1, &out);
      EXPECT_TRUE(std::isnan(out));
    }
  }
}

TEST(InnerProductTest, NamesItsLevel) {
  const std::string best = LevelName();
  std::vector<std::string> names;
  ForEachSimdLevel([&] { names.emplace_back(LevelName()); });
  // Levels come best first, and the best is what is used.
  EXPECT_EQ(names.front(), best);
  EXPECT_EQ(LevelName(), best);
}

TEST(Float16Test, EveryHalfSurvivesTheRoundTrip) {
  for (uint32_t half = 0; half < 0x10000; ++half) {
    const float value = FloatFromFloat16(static_cast<uint16_t>(half));
    const bool is_nan = (half & 0x7FFF) > 0x7C00;
    EXPECT_EQ(std::isnan(value), is_nan) << half;
    if (is_nan) continue;
    EXPECT_EQ(Float16FromFloat(value), half);
    const int exponent = static_cast<int>(half >> 10 & 31);
    if (exponent == 31) continue;
    const double fraction = half & 0x3FF;
    const double expected = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    EXPECT_EQ(value, (half & 0x8000) != 0 ? -expected : expected) << half;
  }
}

TEST(Float16Test, RoundsToNearestEven) {
  // Between each pair of neighbours: just below the middle, the middle, just above.
  for (uint32_t half = 0; half < 0x7BFF; ++half) {
    const float low = FloatFromFloat16(static_cast<uint16_t>(half));
    const float high = FloatFromFloat16(static_cast<uint16_t>(half + 1));
    const float middle = (low + high) / 2;
    EXPECT_EQ(Float16FromFloat(std::nextafter(middle, low)), half);
    EXPECT_EQ(Float16FromFloat(std::nextafter(middle, high)), half + 1);
    EXPECT_EQ(Float16FromFloat(middle), half + (half & 1));
  }
  EXPECT_EQ(Float16FromFloat(65520.0f), 0x7C00);
  EXPECT_EQ(Float16FromFloat(-1e30f), 0xFC00);
}

}  // namespace
}  // namespace sightline::index::kernels
