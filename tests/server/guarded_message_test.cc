// What is refused before it becomes a message: too many fields, too deep, too short, no message at all; and that
// everything else is read as protobuf reads it.
#include "server/rpc/guarded_message.h"

#include <gmock/gmock.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <grpcpp/support/slice.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "base/status.h"
#include "sightline/v1/index_service.pb.h"
#include "sightline/v1/search_service.pb.h"
#include "tests/support/seed.h"

namespace sightline::server {
namespace {

// In pieces, as the network brings them.
grpc::ByteBuffer InPieces(const std::string& bytes, size_t piece) {
  std::vector<grpc::Slice> slices;
  for (size_t at = 0; at < bytes.size(); at += piece) slices.emplace_back(bytes.substr(at, piece));
  return {slices.data(), slices.size()};
}

std::string Reason(const absl::Status& status) { return base::GetErrorInfo(status).reason; }

absl::Status Read(const std::string& bytes, v1::SearchRequest* message) {
  grpc::ByteBuffer buffer = InPieces(bytes, 4096);
  return ReadGuarded(&buffer, message);
}

v1::SearchRequest FullRequest() {
  v1::SearchRequest request;
  request.set_collection("shop");
  request.set_filter("brand = \"acme\"");
  for (int i = 0; i < 3; ++i) {
    auto* part = request.mutable_query()->add_parts();
    part->set_image(std::string(10'000, static_cast<char>('a' + i)));
    part->add_crops()->set_x1(0.5f);
    part->set_weight(-1);
  }
  for (int i = 0; i < 500; ++i) {
    request.mutable_query()->add_parts()->mutable_global_descriptor()->add_values(static_cast<float>(i));
  }
  return request;
}

TEST(GuardedMessageTest, WhatProtobufWritesIsReadInAnyPieces) {
  const v1::SearchRequest request = FullRequest();
  const std::string bytes = request.SerializeAsString();
  for (const size_t piece : {size_t{1}, size_t{3}, size_t{1000}, bytes.size()}) {
    grpc::ByteBuffer buffer = InPieces(bytes, piece);
    v1::SearchRequest read;
    ASSERT_EQ(ReadGuarded(&buffer, &read), absl::OkStatus()) << piece;
    EXPECT_EQ(read.SerializeAsString(), bytes);
  }
  v1::SearchRequest empty;
  EXPECT_EQ(Read("", &empty), absl::OkStatus());
}

TEST(GuardedMessageTest, FieldsOfAnyKindAreCountedOnAllLevels) {
  using google::protobuf::io::ArrayInputStream;
  const auto count = [](const std::string& bytes, int most, const google::protobuf::Descriptor* type) {
    ArrayInputStream in(bytes.data(), static_cast<int>(bytes.size()), 100);
    return CheckFields(&in, type, most);
  };
  v1::SearchRequest parts;
  for (int i = 0; i < 100; ++i) parts.mutable_query()->add_parts();
  v1::DeleteImagesRequest ids;
  for (int i = 0; i < 101; ++i) ids.add_ids("");
  v1::SearchRequest nested;
  for (int i = 0; i < 50; ++i) nested.mutable_query()->add_parts()->mutable_global_descriptor();
  std::string unknown;
  for (int i = 0; i < 101; ++i) unknown += std::string("\x82\x7d\x00", 3);  // field 2000, no bytes
  std::string again;
  for (int i = 0; i < 101; ++i) again += std::string("\x0a\x00", 2);  // the same field over and over
  const auto* search = v1::SearchRequest::descriptor();
  for (const auto& [bytes, type] : {std::pair(parts.SerializeAsString(), search),
                                    {ids.SerializeAsString(), v1::DeleteImagesRequest::descriptor()},
                                    {nested.SerializeAsString(), search},
                                    {unknown, search},
                                    {again, search}}) {
    EXPECT_EQ(count(bytes, 101, type), absl::OkStatus()) << type->name();
    const absl::Status refused = count(bytes, 100, type);
    EXPECT_EQ(Reason(refused), "MESSAGE_TOO_MANY_FIELDS") << type->name();
    EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("more than 100 fields"));
  }
}

TEST(GuardedMessageTest, FortyMegabytesOfEmptyPartsNeverBecomeAMessage) {
  std::string inner;
  for (int i = 0; i < 20'000'000; ++i) inner += std::string("\x0a\x00", 2);
  v1::SearchRequest message;
  message.set_collection("before");
  // SearchRequest.query is a message of `parts`, whose field is 1.
  std::string bytes;
  const int query = v1::SearchRequest::descriptor()->FindFieldByName("query")->number();
  bytes += static_cast<char>(query << 3 | 2);
  for (size_t left = inner.size();; left >>= 7) {
    bytes += static_cast<char>((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    if (left <= 0x7f) break;
  }
  EXPECT_EQ(Reason(Read(bytes + inner, &message)), "MESSAGE_TOO_MANY_FIELDS");
}

TEST(GuardedMessageTest, WhatEndsInTheMiddleOrIsNoMessageIsRefused) {
  const std::string bytes = FullRequest().SerializeAsString();
  int refused = 0;
  for (size_t cut = 1; cut < bytes.size(); cut += 97) {
    v1::SearchRequest read, expected;
    const absl::Status status = Read(bytes.substr(0, cut), &read);
    const bool whole = expected.ParseFromString(bytes.substr(0, cut));
    EXPECT_EQ(status.ok(), whole) << cut;
    if (status.ok()) continue;
    ++refused;
    EXPECT_EQ(Reason(status), "MESSAGE_MALFORMED");
    EXPECT_EQ(read.ByteSizeLong(), 0u);
  }
  EXPECT_GT(refused, 0);
  v1::SearchRequest read;
  for (const std::string& bad : {std::string("\x00", 1), std::string("\xff\xff\xff\xff\xff\xff"), std::string("\x0b"),
                                 std::string("\x0a\xff\xff\xff\xff\x0f"), std::string("\x0a\x02\xff\xfe"),
                                 std::string("GET / HTTP/1.1\r\n\r\n")}) {
    EXPECT_EQ(Reason(Read(bad, &read)), "MESSAGE_MALFORMED");
  }
}

TEST(GuardedMessageTest, WhatIsLetThroughIsWhatProtobufTakes) {
  const unsigned seed = sightline::testing::Seed();
  std::printf("SIGHTLINE_SEED=%u\n", seed);
  std::mt19937 random(seed);
  const std::string bytes = FullRequest().SerializeAsString();
  int accepted = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string mutated = bytes;
    for (int change = static_cast<int>(random() % 3); change >= 0; --change) {
      mutated[random() % mutated.size()] = static_cast<char>(random());
    }
    if (random() % 4 == 0) mutated.resize(random() % mutated.size());
    v1::SearchRequest read, expected;
    const absl::Status status = Read(mutated, &read);
    const bool parses = expected.ParseFromString(mutated);
    // Groups, which protobuf keeps as unknown fields, are refused here.
    if (status.ok()) {
      ++accepted;
      EXPECT_TRUE(parses);
      EXPECT_EQ(read.SerializeAsString(), expected.SerializeAsString());
    }
  }
  EXPECT_GT(accepted, 300);
}

}  // namespace
}  // namespace sightline::server
