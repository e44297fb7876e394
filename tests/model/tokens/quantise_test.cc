#include "model/tokens/quantise.h"

#include <cmath>
#include <limits>
#include <random>

#include "gtest/gtest.h"

namespace sightline::model {
namespace {

TEST(QuantiseTokenTest, KeepsTheDirection) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<float> values(64);
  for (float& value : values) value = 30 * normal(random);
  std::vector<int8_t> codes(64);
  const float scale = QuantiseToken(values, absl::MakeSpan(codes));
  double norm = 0;
  for (const float value : values) norm += static_cast<double>(value) * value;
  norm = std::sqrt(norm);
  // Half a code, and what the length of the codes is off by their rounding.
  for (size_t i = 0; i < 64; ++i) EXPECT_NEAR(scale * codes[i], values[i] / norm, scale * 0.6);
}

TEST(QuantiseTokenTest, TheScaleFollowsFromTheCodesAlone) {
  std::mt19937 random(6);
  std::normal_distribution<float> normal;
  for (const size_t dim : {size_t{1}, size_t{3}, size_t{64}, size_t{1000}}) {
    std::vector<float> values(dim);
    for (float& value : values) value = 1e-3f * normal(random);
    std::vector<int8_t> codes(dim);
    const float scale = QuantiseToken(values, absl::MakeSpan(codes));
    double squares = 0;
    for (const int8_t code : codes) squares += static_cast<double>(code) * code;
    EXPECT_EQ(scale, static_cast<float>(1 / std::sqrt(squares)));  // to the last bit: stores rely on it
    EXPECT_EQ(scale, UnitScale(codes));
  }
  EXPECT_EQ(UnitScale(std::vector<int8_t>(5, 0)), 0);
}

TEST(NormaliseTokenTest, GivesUnitVectorsAndZeros) {
  std::vector<float> out(2);
  NormaliseToken({3.0f, -4.0f}, absl::MakeSpan(out));
  EXPECT_FLOAT_EQ(out[0], 0.6f);
  EXPECT_FLOAT_EQ(out[1], -0.8f);
  for (const float bad : {0.0f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    NormaliseToken({0.0f, bad}, absl::MakeSpan(out));
    EXPECT_EQ(out, (std::vector<float>{0, 0})) << bad;
  }
}

TEST(QuantiseTokenTest, ZeroAndNotFiniteTokensBecomeZero) {
  std::vector<int8_t> codes(2, 9);
  EXPECT_EQ(QuantiseToken({0.0f, 0.0f}, absl::MakeSpan(codes)), 0);
  EXPECT_EQ(codes, (std::vector<int8_t>{0, 0}));
  EXPECT_EQ(QuantiseToken({std::numeric_limits<float>::quiet_NaN(), 1.0f}, absl::MakeSpan(codes)), 0);
  EXPECT_EQ(QuantiseToken({std::numeric_limits<float>::infinity(), 1.0f}, absl::MakeSpan(codes)), 0);
}

TEST(NormaliseImportanceTest, SumsToOneAndIsNotNegative) {
  EXPECT_EQ(NormaliseImportance({1.0f, 3.0f}), (std::vector<float>{0.25f, 0.75f}));
  EXPECT_EQ(NormaliseImportance({-1.0f, 2.0f}), (std::vector<float>{0.0f, 1.0f}));
  EXPECT_EQ(NormaliseImportance({0.0f, -2.0f}), (std::vector<float>{0.5f, 0.5f}));
  EXPECT_EQ(NormaliseImportance({std::numeric_limits<float>::quiet_NaN(), 2.0f}), (std::vector<float>{0.0f, 1.0f}));
}

}  // namespace
}  // namespace sightline::model
