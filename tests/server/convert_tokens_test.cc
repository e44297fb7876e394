// Patch tokens and a model's re-ranking defaults between the API's messages and the rooms behind it.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "base/status.h"
#include "index/collection.h"
#include "index/kernels/float16.h"
#include "index/store/token_codec.h"
#include "model/tokens/quantise.h"
#include "server/convert.h"

namespace sightline::server {
namespace {

using index::TokenPrecision;
using P = v1::PatchTokens;

// As a model makes them, of random tokens.
model::PatchTokens FromAModel(model::TokenPrecision precision, int height, int width, int dim) {
  std::mt19937 random(11);
  std::normal_distribution<float> normal;
  model::PatchTokens tokens;
  tokens.height = height;
  tokens.width = width;
  tokens.dim = dim;
  tokens.precision = precision;
  const auto cells = static_cast<size_t>(height * width);
  const auto size = static_cast<size_t>(dim);
  std::vector<float> values(size);
  for (size_t t = 0; t < cells; ++t) {
    for (float& value : values) value = normal(random);
    if (precision == model::TokenPrecision::kInt8) {
      tokens.values.resize(tokens.values.size() + size);
      tokens.scales.push_back(
          model::QuantiseToken(values, absl::MakeSpan(tokens.values).subspan(tokens.values.size() - size)));
    } else {
      for (const float value : values) tokens.floats.push_back(std::round(value * 8) / 8);  // also fits half precision
    }
  }
  tokens.importance.assign(cells, 1.0f / static_cast<float>(cells));
  tokens.centre.assign(size, 0.125f);
  return tokens;
}

TEST(ConvertTokensTest, SurviveTheWayThroughTheApi) {
  for (const auto precision :
       {model::TokenPrecision::kInt8, model::TokenPrecision::kFloat16, model::TokenPrecision::kFloat32}) {
    const index::PatchTokens tokens = FromModel(FromAModel(precision, 3, 4, 5));
    EXPECT_EQ(static_cast<int>(tokens.precision), static_cast<int>(precision));
    v1::PatchTokens message;
    ToProto(tokens, "tokens", &message);
    EXPECT_EQ(message.token_space(), "tokens");
    EXPECT_EQ(message.precision(), static_cast<int>(precision) + 1);
    const int bytes[] = {1, 2, 4};
    EXPECT_EQ(message.values().size(), 60u * static_cast<size_t>(bytes[static_cast<int>(precision)]));
    const absl::StatusOr<index::PatchTokens> back = FromProto(message);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->precision, tokens.precision);
    EXPECT_EQ(back->height, 3);
    EXPECT_EQ(back->width, 4);
    EXPECT_EQ(back->dim, 5);
    EXPECT_EQ(back->values, tokens.values);
    EXPECT_EQ(back->scales, tokens.scales);
    EXPECT_EQ(back->importance, tokens.importance);
    EXPECT_EQ(back->centre, tokens.centre);
    EXPECT_EQ(back->floats, tokens.floats);
    index::Record record;
    record.id = "a";
    record.descriptor = {1};
    record.tokens = *back;
    EXPECT_TRUE(index::ValidateRecord(record, {}, false).ok()) << index::ValidateRecord(record, {}, false);
  }
}

// The model's codes and the store's idea of their scales agree to the last bit.
TEST(ConvertTokensTest, TokensOfAModelAreStoredWithoutScales) {
  index::PatchTokens tokens = FromModel(FromAModel(model::TokenPrecision::kInt8, 14, 14, 128));
  tokens.importance.assign(196, index::kernels::FloatFromFloat16(index::kernels::Float16FromFloat(1.0f / 196)));
  EXPECT_EQ(index::EncodeTokens(tokens).size() + 4, 25'749u);
}

TEST(ConvertTokensTest, AnUnsetPrecisionIsInt8) {
  v1::PatchTokens message;
  message.set_values("\x01\xff");
  const auto tokens = FromProto(message);
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  EXPECT_EQ(tokens->precision, TokenPrecision::kInt8);
  EXPECT_EQ(tokens->values, (std::vector<int8_t>{1, -1}));
}

TEST(ConvertTokensTest, RefusesWhatTheyCannotMean) {
  v1::PatchTokens message;
  ToProto(FromModel(FromAModel(model::TokenPrecision::kFloat32, 1, 2, 3)), "tokens", &message);
  v1::PatchTokens odd = message;
  odd.mutable_values()->pop_back();
  EXPECT_EQ(base::GetErrorInfo(FromProto(odd).status()).reason, "TOKENS_INVALID");
  odd.set_precision(P::PRECISION_FLOAT16);
  EXPECT_EQ(FromProto(odd).status().message(),
            "patch tokens have 23 bytes of values; a value in float16 takes 2. Send whole values.");
  v1::PatchTokens unknown = message;
  unknown.set_precision(static_cast<P::Precision>(9));
  EXPECT_EQ(FromProto(unknown).status().code(), absl::StatusCode::kInvalidArgument);

  // Whole values, and still not tokens: that is for ValidateRecord.
  const auto reason = [](const v1::PatchTokens& tokens) {
    const auto read = FromProto(tokens);
    EXPECT_TRUE(read.ok()) << read.status();
    index::Record record;
    record.id = "a";
    record.descriptor = {1};
    record.tokens = *read;
    return base::GetErrorInfo(index::ValidateRecord(record, {}, false)).reason;
  };
  EXPECT_EQ(reason(message), "UNKNOWN");  // OK carries no reason
  v1::PatchTokens wrong = message;
  wrong.set_precision(P::PRECISION_FLOAT16);  // twice as many
  EXPECT_EQ(reason(wrong), "TOKENS_INVALID");
  wrong = message;
  wrong.set_precision(P::PRECISION_INT8);  // four times as many
  EXPECT_EQ(reason(wrong), "TOKENS_INVALID");
  wrong = message;
  wrong.add_scales(1);
  EXPECT_EQ(reason(wrong), "TOKENS_INVALID");
  wrong = message;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(wrong.mutable_values()->data(), &nan, sizeof nan);
  EXPECT_EQ(reason(wrong), "TOKENS_INVALID");
  wrong = message;
  wrong.set_precision(P::PRECISION_FLOAT16);
  wrong.set_values(std::string(12, '\x7c'));  // infinities and NaN
  EXPECT_EQ(reason(wrong), "TOKENS_INVALID");
  wrong = message;
  wrong.set_values("");
  EXPECT_EQ(reason(wrong), "TOKENS_INVALID");
}

TEST(ConvertRerankTest, TellsEveryDefault) {
  using M = model::RerankDefaults;
  v1::RerankOptions out;
  ToProto({.method = M::Method::kOff}, &out);
  EXPECT_EQ(out.method(), v1::RerankOptions::METHOD_OFF);
  ToProto({.mass = 0.5, .epsilon = 0.1, .marginals = M::Marginals::kMinus, .temperature = 2, .weight = 3}, &out);
  EXPECT_EQ(out.method(), v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT);
  EXPECT_EQ(out.marginals(), v1::RerankOptions::MARGINALS_MINUS);
  EXPECT_EQ(out.mass(), 0.5);
  EXPECT_EQ(out.epsilon(), 0.1);
  EXPECT_EQ(out.temperature(), 2);
  EXPECT_EQ(out.weight(), 3);
  for (int i = 0; i < 6; ++i) {
    ToProto({.marginals = static_cast<M::Marginals>(i)}, &out);
    EXPECT_EQ(out.marginals(), i + 1);
  }
}

}  // namespace
}  // namespace sightline::server
