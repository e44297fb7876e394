// Stored values: what is written is read, and every truncation and every flipped bit is noticed.
#include "index/store/codec.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <random>

#include "base/status.h"
#include "index/store/keys.h"
#include "index/store/record_codec.h"
#include "index/store/small_codec.h"
#include "index/store/token_codec.h"
#include "tests/index/index_fixture.h"
#include "tests/support/seed.h"

namespace sightline::index {
namespace {

constexpr absl::string_view kKey = "12345678";

struct Value {
  std::string bytes;
  std::function<absl::Status(absl::string_view key, absl::string_view value)> decode;
};

std::string Sealed(std::string value) {
  SealValue(kKey, &value);
  return value;
}

std::vector<Value> AllKinds() {
  std::mt19937 random(3);
  StoredRecord stored;
  stored.record.id = "id";
  stored.record.attributes = {
      {"s", "text"}, {"i", int64_t{-5}}, {"d", 0.5}, {"b", true}, {"l", std::vector<std::string>{"x", "yz"}}};
  stored.record.revision = 9;
  stored.has_image = true;
  CollectionConfig config;
  config.name = "shop";
  config.embedding_space = "space";
  config.descriptor_dim = 8;
  config.index_kind = IndexKind::kExact;
  config.description = "things";
  const auto descriptor = RandomVector(random, 5);
  PatchTokens float_tokens = RandomTokens(random, 2, 3, 4);
  float_tokens.precision = TokenPrecision::kFloat16;
  float_tokens.values.clear();
  float_tokens.scales.clear();
  float_tokens.floats = RandomVector(random, 24);
  return {
      {Sealed(EncodeRecord(stored)), [](auto key, auto value) { return DecodeRecord(key, value).status(); }},
      {Sealed(EncodeDescriptor(descriptor, DescriptorPrecision::kFloat32)),
       [](auto key, auto value) { return DecodeDescriptor(key, value, 5).status(); }},
      {Sealed(EncodeDescriptor(descriptor, DescriptorPrecision::kFloat16)),
       [](auto key, auto value) { return DecodeDescriptor(key, value, 5).status(); }},
      {Sealed(EncodeTokens(RandomTokens(random, 2, 3, 4))),
       [](auto key, auto value) { return DecodeTokens(key, value).status(); }},
      {Sealed(EncodeTokens(float_tokens)), [](auto key, auto value) { return DecodeTokens(key, value).status(); }},
      {Sealed(EncodeImage("jpeg bytes")), [](auto key, auto value) { return DecodeImage(key, value).status(); }},
      {EncodeConfig(kKey, config), [](auto key, auto value) { return DecodeConfig(key, value).status(); }},
      {EncodeCounters(kKey, {7, 8}), [](auto key, auto value) { return DecodeCounters(key, value).status(); }},
      {EncodeConfidence(kKey, FittedConfidence()),
       [](auto key, auto value) { return DecodeConfidence(key, value).status(); }},
      {EncodeRecordKey(kKey, 77), [](auto key, auto value) { return DecodeRecordKey(key, value).status(); }},
      {EncodeRequest(kKey, {absl::UnixEpoch(), "id", 3}),
       [](auto key, auto value) { return DecodeRequest(key, value).status(); }},
  };
}

TEST(CodecTest, NoticesEveryTruncation) {
  for (const Value& value : AllKinds()) {
    ASSERT_TRUE(value.decode(kKey, value.bytes).ok()) << value.decode(kKey, value.bytes);
    for (size_t size = 0; size < value.bytes.size(); ++size) {
      EXPECT_EQ(value.decode(kKey, absl::string_view(value.bytes).substr(0, size)).code(), absl::StatusCode::kDataLoss);
    }
  }
}

TEST(CodecTest, NoticesEveryFlippedBitAndAForeignKey) {
  for (const Value& value : AllKinds()) {
    for (size_t bit = 0; bit < value.bytes.size() * 8; ++bit) {
      std::string damaged = value.bytes;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
      EXPECT_EQ(value.decode(kKey, damaged).code(), absl::StatusCode::kDataLoss);
    }
    EXPECT_EQ(value.decode("12345679", value.bytes).code(), absl::StatusCode::kDataLoss);
  }
}

// Someone who can compute checksums must still not be able to crash the reader or make it allocate.
TEST(CodecTest, SurvivesValuesWithAValidChecksumAndWrongContent) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (const Value& value : AllKinds()) {
    const std::string body = value.bytes.substr(0, value.bytes.size() - 4);
    for (int round = 0; round < 2000; ++round) {
      std::string forged = body;
      for (size_t i = 0; i <= random() % 4; ++i) forged[random() % forged.size()] = static_cast<char>(random());
      if (random() % 2 == 0) forged.resize(random() % (forged.size() + 1));
      const absl::Status status = value.decode(kKey, Sealed(forged));
      EXPECT_TRUE(status.ok() || absl::IsDataLoss(status) || absl::IsFailedPrecondition(status)) << status;
    }
  }
}

TEST(CodecTest, RefusesAnUnknownFormatInWords) {
  std::string value = EncodeImage("x");
  value[0] = 9;
  const absl::Status status = DecodeImage(kKey, Sealed(value)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::GetErrorInfo(status).reason, "FORMAT_UNKNOWN");
  EXPECT_EQ(status.message(),
            "stored image has format 9; this version reads format 1. Run the version that wrote it, or a later one.");
}

TEST(CodecTest, RecordSurvivesTheRoundTrip) {
  StoredRecord stored;
  stored.record.id = "id";
  stored.record.attributes = {{"list", std::vector<std::string>{"a", "", "c"}}, {"empty", ""}, {"n", int64_t{-1}}};
  stored.record.create_time = absl::FromUnixMicros(-5);
  stored.record.update_time = absl::FromUnixMicros(1'700'000'000'123'456);
  stored.has_tokens = true;
  const auto decoded = DecodeRecord(kKey, Sealed(EncodeRecord(stored)));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->record.attributes, stored.record.attributes);
  EXPECT_EQ(decoded->record.create_time, stored.record.create_time);
  EXPECT_EQ(decoded->record.update_time, stored.record.update_time);
  EXPECT_TRUE(decoded->has_tokens);
  EXPECT_FALSE(decoded->has_image);
}

TEST(CodecTest, ADescriptorOfAnotherDimensionIsDamage) {
  const std::string value = Sealed(EncodeDescriptor({1, 0}, DescriptorPrecision::kFloat32));
  EXPECT_EQ(DecodeDescriptor(kKey, value, 3).status().code(), absl::StatusCode::kDataLoss);
}

// A snapshot may come from anywhere, with checksums that fit.
TEST(CodecTest, ADescriptorThatHoldsNoNumberIsDamage) {
  for (const float wrong : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const auto precision : {DescriptorPrecision::kFloat32, DescriptorPrecision::kFloat16}) {
      const std::string value = Sealed(EncodeDescriptor({1, wrong}, precision));
      EXPECT_EQ(DecodeDescriptor(kKey, value, 2).status().code(), absl::StatusCode::kDataLoss);
    }
  }
}

TEST(KeysTest, OrderIsTheOrderOfNumbers) {
  EXPECT_LT(RecordKey(255), RecordKey(256));
  EXPECT_LT(RecordKey(0x7FFFFFFFFFFFFFFF), RecordKey(0x8000000000000000));
  EXPECT_EQ(ParseRecordKey(RecordKey(0xFEDCBA9876543210)), 0xFEDCBA9876543210u);
  EXPECT_FALSE(ParseRecordKey("short"));
  const absl::Time time = absl::FromUnixMicros(1234567);
  const auto parsed = ParseRequestTimeKey(RequestTimeKey(time, "request"));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->time, time);
  EXPECT_EQ(parsed->request_id, "request");
  EXPECT_LT(RequestTimeKey(time, "z"), RequestTimeKey(time + absl::Microseconds(1), "a"));
  EXPECT_EQ(ParsePageToken(PageToken(42)), 42u);
}

}  // namespace
}  // namespace sightline::index
