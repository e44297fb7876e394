#include <cstdio>
#include <limits>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "model/engine/convolution.h"
#include "model/engine/int8_weights.h"
#include "tests/model/engine/int8_reference.h"

namespace sightline::model::engine {
namespace {

constexpr uint32_t kConvSeed = 1789;

struct ConvProblem {
  ConvGeometry geometry;
  ConvInput input;
  InputCode code;
};

// Before the activation, channels-last: codes and their products in integers, the rest in double precision.
std::vector<double> PlainConv(const ConvProblem& p, const std::vector<float>& x, const std::vector<float>& weight,
                              const std::vector<float>& bias) {
  const ConvGeometry& g = p.geometry;
  const ConvInput& in = p.input;
  const PlainWeights weights = PlainQuantiseWeights(weight, static_cast<size_t>(g.out));
  std::vector<int> codes(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const float scaled = std::isnan(x[i]) ? 0 : x[i] * (1 / p.code.scale);
    codes[i] = static_cast<int>(
        std::nearbyint(std::clamp(scaled, p.code.is_signed ? -127.0f : 0.0f, p.code.is_signed ? 127.0f : 255.0f)));
  }
  const int64_t height = OutSize(g, in.height, in.top + in.bottom), width = OutSize(g, in.width, in.left + in.right);
  std::vector<double> y;
  for (int64_t b = 0; b < in.batch; ++b) {
    for (int64_t i = 0; i < height; ++i) {
      for (int64_t j = 0; j < width; ++j) {
        for (int64_t n = 0; n < g.out; ++n) {
          int64_t sum = 0;
          for (int64_t u = 0; u < g.kernel; ++u) {
            for (int64_t v = 0; v < g.kernel; ++v) {
              const int64_t row = i * g.stride + u * g.dilation - in.top;
              const int64_t column = j * g.stride + v * g.dilation - in.left;
              if (row < 0 || column < 0 || row >= in.height || column >= in.width) continue;
              for (int64_t c = 0; c < g.in; ++c) {
                sum += int64_t{codes[static_cast<size_t>(((b * in.height + row) * in.width + column) * g.in + c)]} *
                       weights.codes[static_cast<size_t>(((n * g.in + c) * g.kernel + u) * g.kernel + v)];
              }
            }
          }
          const double scale = double{weights.scales[static_cast<size_t>(n)]} * p.code.scale;
          y.push_back(static_cast<double>(sum) * scale + bias[static_cast<size_t>(n)]);
        }
      }
    }
  }
  return y;
}

TEST(Int8Conv, IsPlainIntegerArithmetic) {
  if (!HasInt8()) GTEST_SKIP() << "this machine has no AVX-512 VNNI";
  std::printf("seed %u\n", kConvSeed);
  std::mt19937 generator(kConvSeed);
  const auto pool = std::make_shared<BufferPool>();
  std::vector<ConvProblem> problems;
  for (const bool is_signed : {false, true}) {
    const InputCode code{.scale = is_signed ? 0.021f : 0.009f, .is_signed = is_signed};
    problems.push_back({{.in = 16, .out = 16}, {.batch = 1, .height = 5, .width = 7}, code});
    problems.push_back({{.in = 64, .out = 200, .stride = 2}, {.batch = 2, .height = 9, .width = 6}, code});
    problems.push_back({{.in = 32, .out = 48, .kernel = 3},
                        {.batch = 1, .height = 13, .width = 11, .top = 1, .left = 1, .bottom = 1, .right = 1},
                        code});
    problems.push_back({{.in = 40, .out = 24, .kernel = 3, .stride = 2},
                        {.batch = 3, .height = 8, .width = 12, .top = 0, .left = 0, .bottom = 1, .right = 1},
                        code});
    problems.push_back({{.in = 17, .out = 5, .kernel = 3, .dilation = 6},
                        {.batch = 1, .height = 9, .width = 14, .top = 6, .left = 6, .bottom = 6, .right = 6},
                        code});
    problems.push_back({{.in = 33, .out = 7, .kernel = 5}, {.batch = 1, .height = 5, .width = 5}, code});
  }
  for (size_t i = 0; i < problems.size(); ++i) {
    const ConvProblem& p = problems[i];
    const ConvGeometry& g = p.geometry;
    std::vector<float> x =
        Normal(generator, static_cast<size_t>(p.input.batch * p.input.height * p.input.width * g.in), 1);
    x[3] = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> weight = Normal(generator, static_cast<size_t>(g.out * g.in * g.kernel * g.kernel), 0.1f);
    std::fill_n(weight.begin(), g.in * g.kernel * g.kernel, 0.0f);
    const std::vector<float> bias = Normal(generator, static_cast<size_t>(g.out), 1);
    const std::unique_ptr<Convolution> conv = PackInt8Conv(pool, weight.data(), bias.data(), g, p.code);
    const std::vector<double> plain = PlainConv(p, x, weight, bias);
    ASSERT_EQ(static_cast<int64_t>(plain.size()),
              p.input.batch * conv->OutHeight(p.input) * conv->OutWidth(p.input) * g.out);

    std::vector<float> y(plain.size(), -5);
    conv->Forward(x.data(), p.input, Activation::kNone, y.data());
    for (size_t k = 0; k < y.size(); ++k) ASSERT_NEAR(y[k], plain[k], 1e-5 * (1 + std::abs(plain[k]))) << i << " " << k;

    const std::vector<float> before = Normal(generator, y.size(), 1);
    y = before;
    conv->AddTo(x.data(), p.input, Activation::kRelu, y.data());
    for (size_t k = 0; k < y.size(); ++k) {
      ASSERT_NEAR(y[k], std::max(0.0, plain[k] + before[k]), 1e-5 * (2 + std::abs(plain[k]))) << i << " " << k;
    }
  }
}

TEST(Int8Conv, ManySizesOneAfterTheOther) {
  if (!HasInt8()) GTEST_SKIP() << "this machine has no AVX-512 VNNI";
  std::printf("seed %u\n", kConvSeed);
  std::mt19937 generator(kConvSeed);
  const auto pool = std::make_shared<BufferPool>();
  const ConvGeometry geometry{.in = 24, .out = 40, .kernel = 3};
  const std::vector<float> weight = Normal(generator, 40 * 24 * 9, 0.1f);
  const std::vector<float> bias(40, 0);
  const std::unique_ptr<Convolution> conv =
      PackInt8Conv(pool, weight.data(), nullptr, geometry, {.scale = 0.02f, .is_signed = true});
  for (const int64_t side : {1, 2, 3, 8, 17, 30, 56, 2, 17}) {
    const ConvProblem p{geometry,
                        {.batch = 1, .height = side, .width = side + 1, .top = 1, .left = 1, .bottom = 1, .right = 1},
                        {.scale = 0.02f, .is_signed = true}};
    const std::vector<float> x = Normal(generator, static_cast<size_t>(side * (side + 1) * 24), 1);
    const std::vector<double> plain = PlainConv(p, x, weight, bias);
    std::vector<float> y(plain.size());
    conv->Forward(x.data(), p.input, Activation::kNone, y.data());
    for (size_t k = 0; k < y.size(); ++k) ASSERT_NEAR(y[k], plain[k], 1e-5 * (1 + std::abs(plain[k]))) << side;
  }
}

}  // namespace
}  // namespace sightline::model::engine
