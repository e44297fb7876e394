#include "server/observe/trace_context.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <utility>

namespace sightline::server {
namespace {

constexpr char kGood[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceContextTest, ReadsWhatTheSpecificationShows) {
  const auto parent = ParseTraceParent(kGood);
  ASSERT_TRUE(parent.has_value());
  EXPECT_EQ(parent->trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(parent->span, "00f067aa0ba902b7");
  EXPECT_EQ(parent->flags, "01");
  EXPECT_EQ(FormatTraceParent(*parent), kGood);
}

TEST(TraceContextTest, LaterVersionsMayHaveMoreFields) {
  EXPECT_TRUE(ParseTraceParent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").has_value());
  EXPECT_TRUE(ParseTraceParent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes").has_value());
}

TEST(TraceContextTest, WhatIsNotSaneIsNone) {
  const std::string good = kGood;
  for (const std::string& bad : {
           std::string(),
           std::string("00"),
           good.substr(0, good.size() - 1),
           good + "0",
           good + "-",
           good + " ",
           " " + good,
           std::string("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
           std::string("00-00000000000000000000000000000000-00f067aa0ba902b7-01"),
           std::string("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"),
           std::string("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"),
           std::string("00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01"),
           std::string("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x"),
           std::string("00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
           std::string("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01."),
           std::string(1 << 20, '0'),
           std::string(55, '\0'),
       }) {
    EXPECT_FALSE(ParseTraceParent(bad).has_value()) << bad.substr(0, 80);
  }
}

// Every byte of a good header, replaced by every other one: what is still read must be what the grammar allows.
TEST(TraceContextTest, EveryByteChangedIsReadOrRefused) {
  for (size_t i = 0; i < sizeof(kGood) - 1; ++i) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string text = kGood;
      text[i] = static_cast<char>(byte);
      const auto parent = ParseTraceParent(text);
      if (!parent.has_value()) continue;
      EXPECT_EQ(text.substr(2, 51), FormatTraceParent(*parent).substr(2, 51));
      EXPECT_EQ(text.find_first_not_of("0123456789abcdef-"), std::string::npos);
    }
  }
}

// https://www.w3.org/TR/trace-context/#other-flags: "sampled" and "random" go on, the others as zero.
TEST(TraceContextTest, FlagsThatAreNotDefinedGoOnAsZero) {
  const std::string start(kGood, sizeof(kGood) - 3);
  for (const auto& [came, goes] : {std::pair("00", "00"), std::pair("01", "01"), std::pair("03", "03"),
                                   std::pair("ff", "03"), std::pair("a4", "00")}) {
    const auto parent = ParseTraceParent(start + came);
    ASSERT_TRUE(parent.has_value()) << came;
    EXPECT_EQ(FormatTraceParent(*parent), start + goes);
  }
}

TEST(TraceContextTest, TraceStatesAreHandedOnUnlessTheyAreTooLongOrNotText) {
  std::string members = "v0=1";
  for (int i = 1; i < 32; ++i) members += ",v" + std::to_string(i) + "=1";
  for (const std::string& good :
       {std::string("congo=t61rcWkgMzE"), std::string("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        std::string("a=1 , b=2"), std::string(512, 'x'), members}) {
    EXPECT_TRUE(IsSaneTraceState(good)) << good;
  }
  for (const std::string& bad : {std::string(), std::string(513, 'x'), members + ",more=1", std::string("a=1\nb"),
                                 std::string("a=\x7f"), std::string("a=\xC3\xA9"), std::string("a=1\0", 4)}) {
    EXPECT_FALSE(IsSaneTraceState(bad)) << bad.substr(0, 80);
  }
}

TEST(TraceContextTest, RequestIds) {
  EXPECT_TRUE(IsSaneRequestId("a"));
  EXPECT_TRUE(IsSaneRequestId("7b1c0b0e-6a3f-4c7e-9a53-e2f6a0c5d1aa"));
  EXPECT_TRUE(IsSaneRequestId("job:7/part=3@host.name+x_y"));
  EXPECT_TRUE(IsSaneRequestId(std::string(128, 'x')));
  for (const std::string& bad : {std::string(), std::string(129, 'x'), std::string("a b"), std::string("a\nb"),
                                 std::string("\"}"), std::string("\xff"), std::string(1, '\0'), std::string("<b>")}) {
    EXPECT_FALSE(IsSaneRequestId(bad)) << bad;
  }
}

TEST(TraceContextTest, MadeIdsAreSaneAndDiffer) {
  std::set<std::string> ids;
  for (int i = 0; i < 10'000; ++i) {
    const std::string id = MakeId(16);
    EXPECT_EQ(id.size(), 16u);
    EXPECT_TRUE(ids.insert(id).second);
  }
  EXPECT_EQ(MakeId(32).size(), 32u);
  EXPECT_TRUE(ParseTraceParent("00-" + MakeId(32) + "-" + MakeId(16) + "-00").has_value());
}

}  // namespace
}  // namespace sightline::server
