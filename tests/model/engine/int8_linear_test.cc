#include <omp.h>

#include <cstdio>
#include <limits>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "model/engine/int8_weights.h"
#include "model/engine/linear_map.h"
#include "tests/model/engine/int8_reference.h"

namespace sightline::model::engine {
namespace {

constexpr uint32_t kLinearSeed = 4711;

struct Problem {
  size_t rows, in, out;
  std::vector<float> x, weight, bias;
};

Problem RandomProblem(std::mt19937& generator, size_t rows, size_t in, size_t out) {
  return {rows,
          in,
          out,
          Normal(generator, rows * in, 1),
          Normal(generator, out * in, 1 / std::sqrt(static_cast<float>(in))),
          Normal(generator, out, 1)};
}

std::vector<float> RowOf(const std::vector<float>& values, size_t row, size_t count) {
  return {values.begin() + static_cast<std::ptrdiff_t>(row * count),
          values.begin() + static_cast<std::ptrdiff_t>((row + 1) * count)};
}

// The result of plain integer arithmetic before the activation; finite rows only.
std::vector<float> PlainLinear(const Problem& p) {
  const PlainWeights weights = PlainQuantiseWeights(p.weight, p.out);
  std::vector<float> y(p.rows * p.out);
  for (size_t r = 0; r < p.rows; ++r) {
    const PlainRow row = PlainQuantise(RowOf(p.x, r, p.in));
    for (size_t n = 0; n < p.out; ++n) {
      int64_t sum = 0;
      for (size_t k = 0; k < p.in; ++k) sum += int64_t{row.codes[k] - row.zero} * weights.codes[n * p.in + k];
      y[r * p.out + n] = std::fma(static_cast<float>(sum), weights.scales[n] * row.scale, p.bias[n]);
    }
  }
  return y;
}

class Int8LinearTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HasInt8()) GTEST_SKIP() << "this machine has no AVX-512 VNNI";
    std::printf("seed %u\n", kLinearSeed);
  }

  std::unique_ptr<LinearMap> Make(const Problem& p) {
    return PackInt8Linear(pool_, p.weight.data(), p.bias.data(), static_cast<int64_t>(p.in),
                          static_cast<int64_t>(p.out));
  }

  const std::shared_ptr<BufferPool> pool_ = std::make_shared<BufferPool>();
  std::mt19937 generator_{kLinearSeed};
};

TEST_F(Int8LinearTest, IsPlainIntegerArithmeticToTheBit) {
  for (const auto& [rows, in, out] : std::vector<std::array<size_t, 3>>{{1, 1, 1},
                                                                        {1, 192, 576},
                                                                        {1, 770, 3},
                                                                        {2, 17, 13},
                                                                        {7, 64, 64},
                                                                        {50, 77, 201},
                                                                        {197, 192, 96},
                                                                        {611, 48, 40}}) {
    const Problem p = RandomProblem(generator_, rows, in, out);
    const std::unique_ptr<LinearMap> linear = Make(p);
    std::vector<float> y(rows * out, -7);
    linear->Forward(p.x.data(), static_cast<int64_t>(rows), Activation::kNone, y.data());
    const std::vector<float> plain = PlainLinear(p);
    for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], plain[i]) << rows << "x" << in << "x" << out << " at " << i;

    const std::vector<float> before = Normal(generator_, y.size(), 1);
    y = before;
    linear->AddTo(p.x.data(), static_cast<int64_t>(rows), Activation::kRelu, y.data());
    for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], std::max(0.0f, plain[i] + before[i])) << i;

    linear->Forward(p.x.data(), static_cast<int64_t>(rows), Activation::kGelu, y.data());
    for (size_t i = 0; i < y.size(); ++i) {
      ASSERT_NEAR(y[i], PlainActivate(plain[i], Activation::kGelu), 1e-6 * std::max(1.0f, std::abs(plain[i]))) << i;
    }
  }
}

// |x w - x' w'| <= sum |x| |w - w'| + |w'| |x - x'|, with half a step for each difference and a whole one for x, whose
// zero is rounded too.
TEST_F(Int8LinearTest, StaysWithinTheStepsOfFloats) {
  Problem p = RandomProblem(generator_, 40, 160, 70);
  p.x[3 * 160 + 5] = 400;  // an outlier makes its own row coarse and no other
  const std::unique_ptr<LinearMap> linear = Make(p);
  std::vector<float> y(p.rows * p.out);
  linear->Forward(p.x.data(), static_cast<int64_t>(p.rows), Activation::kNone, y.data());
  const PlainWeights weights = PlainQuantiseWeights(p.weight, p.out);
  double error = 0, size = 0;
  for (size_t r = 0; r < p.rows; ++r) {
    const double step = PlainQuantise(RowOf(p.x, r, p.in)).scale;
    for (size_t n = 0; n < p.out; ++n) {
      double exact = p.bias[n], bound = 1e-5;
      for (size_t k = 0; k < p.in; ++k) {
        const double x = p.x[r * p.in + k], w = p.weight[n * p.in + k];
        exact += x * w;
        bound += std::abs(x) * weights.scales[n] / 2 + (std::abs(w) + weights.scales[n] / 2) * step;
      }
      const double difference = y[r * p.out + n] - exact;
      ASSERT_LE(std::abs(difference), bound);
      if (r == 3) continue;
      error += difference * difference;
      size += exact * exact;
    }
  }
  // What rounding evenly spread errors gives on average is far below the worst.
  EXPECT_LT(std::sqrt(error / size), 0.012);
}

TEST_F(Int8LinearTest, DegenerateRowsAndWeights) {
  Problem p = RandomProblem(generator_, 5, 33, 9);
  for (size_t k = 0; k < p.in; ++k) {
    p.x[0 * p.in + k] = 0;
    p.x[4 * p.in + k] = 1e-37f;
    p.weight[2 * p.in + k] = 0;
    p.weight[3 * p.in + k] = 1e-39f;
  }
  p.x[2 * p.in + 32] = std::numeric_limits<float>::quiet_NaN();
  p.x[3 * p.in + 1] = -std::numeric_limits<float>::infinity();
  std::vector<float> y(p.rows * p.out);
  Make(p)->Forward(p.x.data(), static_cast<int64_t>(p.rows), Activation::kNone, y.data());
  for (size_t n = 0; n < p.out; ++n) {
    EXPECT_EQ(y[n], p.bias[n]) << "a row of zeros";
    EXPECT_EQ(y[4 * p.out + n], p.bias[n]) << "a row of nearly zeros";
    EXPECT_TRUE(std::isfinite(y[1 * p.out + n]));
    EXPECT_TRUE(std::isnan(y[2 * p.out + n])) << "a row with a NaN";
    EXPECT_TRUE(std::isnan(y[3 * p.out + n])) << "a row with an infinity";
  }
  EXPECT_EQ(y[1 * p.out + 2], p.bias[2]) << "an output of zero weights";
  EXPECT_EQ(y[1 * p.out + 3], p.bias[3]) << "an output of denormal weights";
}

TEST_F(Int8LinearTest, LargestSumsDoNotOverflow) {
  Problem p{.rows = 2, .in = kMostInt8Inputs, .out = 2, .x = {}, .weight = {}, .bias = {0, 0}};
  p.x.assign(p.rows * p.in, 255);
  p.weight.assign(p.out * p.in, 127);
  std::fill(p.weight.begin() + static_cast<std::ptrdiff_t>(p.in), p.weight.end(), -127.0f);
  std::vector<float> y(4);
  Make(p)->Forward(p.x.data(), 2, Activation::kNone, y.data());
  const float expected = 255.0f * 127.0f * static_cast<float>(p.in);
  EXPECT_EQ(y, (std::vector<float>{expected, -expected, expected, -expected}));
}

TEST_F(Int8LinearTest, AnyNumberOfThreadsGivesTheSame) {
  const Problem p = RandomProblem(generator_, 333, 96, 130);
  const std::unique_ptr<LinearMap> linear = Make(p);
  const int before = omp_get_max_threads();
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 3}) {
    omp_set_num_threads(threads);
    results.emplace_back(p.rows * p.out);
    linear->Forward(p.x.data(), static_cast<int64_t>(p.rows), Activation::kGelu, results.back().data());
  }
  omp_set_num_threads(before);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

}  // namespace
}  // namespace sightline::model::engine
