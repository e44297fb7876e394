// Stored patch tokens: they are read as they were written, take the bytes they need, and format 1 is still read.
#include "index/store/token_codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <random>

#include "base/status.h"
#include "index/kernels/float16.h"
#include "index/store/codec.h"
#include "tests/index/index_fixture.h"
#include "tests/support/seed.h"

namespace sightline::index {
namespace {

constexpr absl::string_view kTokensKey = "12345678";

std::string SealedTokens(std::string value) {
  SealValue(kTokensKey, &value);
  return value;
}

void RoundToHalf(std::vector<float>* values) {
  for (float& value : *values) value = kernels::FloatFromFloat16(kernels::Float16FromFloat(value));
}

// As a model makes them in int8: codes, the scale that makes them a unit vector, importance and centre in half
// precision.
PatchTokens ModelTokens(std::mt19937& random, int height, int width, int dim) {
  PatchTokens tokens = RandomTokens(random, height, width, dim);
  for (size_t t = 0; t < tokens.scales.size(); ++t) {
    double squares = 0;
    for (size_t i = 0; i < static_cast<size_t>(dim); ++i) {
      const double code = tokens.values[t * static_cast<size_t>(dim) + i];
      squares += code * code;
    }
    tokens.scales[t] = squares == 0 ? 0 : static_cast<float>(1 / std::sqrt(squares));
  }
  RoundToHalf(&tokens.importance);
  RoundToHalf(&tokens.centre);
  return tokens;
}

PatchTokens FloatTokens(std::mt19937& random, int height, int width, int dim, TokenPrecision precision) {
  PatchTokens tokens = RandomTokens(random, height, width, dim);
  tokens.precision = precision;
  tokens.values.clear();
  tokens.scales.clear();
  tokens.floats = RandomVector(random, height * width * dim);
  if (precision == TokenPrecision::kFloat16) RoundToHalf(&tokens.floats);
  return tokens;
}

void ExpectSame(const PatchTokens& a, const PatchTokens& b) {
  EXPECT_EQ(a.height, b.height);
  EXPECT_EQ(a.width, b.width);
  EXPECT_EQ(a.dim, b.dim);
  EXPECT_EQ(a.precision, b.precision);
  EXPECT_EQ(a.values, b.values);
  EXPECT_EQ(a.scales, b.scales);
  EXPECT_EQ(a.importance, b.importance);
  EXPECT_EQ(a.centre, b.centre);
  EXPECT_EQ(a.floats, b.floats);
}

void ExpectRoundTrip(const PatchTokens& tokens) {
  const absl::StatusOr<PatchTokens> read = DecodeTokens(kTokensKey, SealedTokens(EncodeTokens(tokens)));
  ASSERT_TRUE(read.ok()) << read.status();
  ExpectSame(*read, tokens);
}

TEST(TokenCodecTest, ReadsWhatWasWrittenToTheLastBit) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const int shapes[][3] = {{1, 1, 1}, {2, 3, 5}, {7, 7, 128}, {14, 14, 128}, {13, 11, 31}, {1, 64, 3}};
  for (const auto& [height, width, dim] : shapes) {
    ExpectRoundTrip(ModelTokens(random, height, width, dim));
    ExpectRoundTrip(RandomTokens(random, height, width, dim));
    ExpectRoundTrip(FloatTokens(random, height, width, dim, TokenPrecision::kFloat16));
    ExpectRoundTrip(FloatTokens(random, height, width, dim, TokenPrecision::kFloat32));
  }
  // A token of zeros, codes of -128, and one scale of many that is not the one that follows from its codes.
  PatchTokens odd = ModelTokens(random, 2, 2, 4);
  for (size_t i = 0; i < 4; ++i) odd.values[i] = 0;
  odd.scales[0] = 0;
  for (size_t i = 4; i < 8; ++i) odd.values[i] = -128;
  odd.scales[1] = 1.0f / 256;
  ExpectRoundTrip(odd);
  const size_t unit_bytes = EncodeTokens(odd).size();
  odd.scales[3] = std::nextafter(odd.scales[3], 1.0f);
  ExpectRoundTrip(odd);
  EXPECT_EQ(EncodeTokens(odd).size(), unit_bytes + 4 * sizeof(float));
}

TEST(TokenCodecTest, RoundsFloat16ToWhatThatHolds) {
  std::mt19937 random(7);
  PatchTokens tokens = FloatTokens(random, 3, 2, 8, TokenPrecision::kFloat16);
  tokens.floats = RandomVector(random, 48);
  const absl::StatusOr<PatchTokens> read = DecodeTokens(kTokensKey, SealedTokens(EncodeTokens(tokens)));
  ASSERT_TRUE(read.ok()) << read.status();
  RoundToHalf(&tokens.floats);
  ExpectSame(*read, tokens);
}

TEST(TokenCodecTest, AnImageOf14x14x128TakesLessThan26Kilobytes) {
  std::mt19937 random(8);
  const size_t bytes = SealedTokens(EncodeTokens(ModelTokens(random, 14, 14, 128))).size();
  // Format, precision, parts, shape; codes; importance and centre in two bytes; checksum.
  EXPECT_EQ(bytes, 9u + 14 * 14 * 128 + 14 * 14 * 2 + 128 * 2 + 4);
  EXPECT_LE(bytes, 26'000u);
  std::printf("14x14x128 in int8: %zu bytes\n", bytes);
  EXPECT_EQ(SealedTokens(EncodeTokens(FloatTokens(random, 14, 14, 128, TokenPrecision::kFloat32))).size(),
            9u + 4 * (14 * 14 * 128 + 14 * 14 + 128) + 4);
}

// Format 1 as FORMAT.md has it, written without the encoder that knows it.
std::string FirstFormat(const PatchTokens& tokens) {
  Encoder out(1);
  for (const int side : {tokens.height, tokens.width, tokens.dim}) out.U32(static_cast<uint32_t>(side));
  for (const int8_t code : tokens.values) out.U8(static_cast<uint8_t>(code));
  for (const auto* const part : {&tokens.scales, &tokens.importance, &tokens.centre}) out.Floats(*part);
  return std::move(out).Unsealed();
}

TEST(TokenCodecTest, ReadsFormat1) {
  std::mt19937 random(9);
  const PatchTokens tokens = RandomTokens(random, 5, 4, 6);
  const std::string value = SealedTokens(FirstFormat(tokens));
  const absl::StatusOr<PatchTokens> read = DecodeTokens(kTokensKey, value);
  ASSERT_TRUE(read.ok()) << read.status();
  ExpectSame(*read, tokens);
  for (size_t size = 0; size < value.size(); ++size) {
    const std::string shorter = value.substr(0, size);
    EXPECT_TRUE(absl::IsDataLoss(DecodeTokens(kTokensKey, shorter).status())) << size;
    if (size == 0) continue;
    // With a right checksum as well.
    const absl::Status status = DecodeTokens(kTokensKey, SealedTokens(shorter.substr(0, size))).status();
    if (size + 4 != value.size()) {
      EXPECT_TRUE(absl::IsDataLoss(status)) << size;
    }
  }
}

TEST(TokenCodecTest, RefusesFieldsThatCannotBe) {
  std::mt19937 random(10);
  const std::string codes = EncodeTokens(ModelTokens(random, 2, 3, 4));
  const std::string floats = EncodeTokens(FloatTokens(random, 2, 3, 4, TokenPrecision::kFloat16));
  const auto status = [](std::string value, size_t at, char byte) {
    value[at] = byte;
    return DecodeTokens(kTokensKey, SealedTokens(value)).status();
  };
  EXPECT_TRUE(absl::IsDataLoss(status(codes, 1, 3)));               // a precision that is none
  EXPECT_TRUE(absl::IsDataLoss(status(codes, 2, 8)));               // a part that is none
  EXPECT_TRUE(absl::IsDataLoss(status(floats, 2, floats[2] | 1)));  // scales that follow from codes, without codes
  EXPECT_EQ(base::GetErrorInfo(status(codes, 0, 3)).reason, "FORMAT_UNKNOWN");
  EXPECT_EQ(base::GetErrorInfo(status(codes, 0, 0)).reason, "FORMAT_UNKNOWN");
  EXPECT_EQ(status(codes, 0, 3).message(),
            "stored patch tokens has format 3; this version reads format 1 to 2. Run the version that wrote it, or a "
            "later one.");
  // The largest grid there can be, of tokens without values: its cells take no memory before their bytes are there.
  std::string huge = codes;
  for (size_t at = 3; at < 7; ++at) huge[at] = '\xff';
  huge[7] = huge[8] = 0;
  EXPECT_TRUE(absl::IsDataLoss(DecodeTokens(kTokensKey, SealedTokens(huge)).status()));
}

}  // namespace
}  // namespace sightline::index
