#include "server/pace.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace sightline::server {
namespace {

constexpr base::Clock::Ticks kNow{std::chrono::hours(1)};

TEST(PaceTest, WhatIsNotKnownTakesNoTime) {
  const Pace pace;
  EXPECT_EQ(pace.Expect("a", 4).mean, 0);
  EXPECT_EQ(pace.ExpectAny(4).safe, 0);
  EXPECT_FALSE(pace.Knows("a"));
}

TEST(PaceTest, LearnsEachSizeOfABucketAndScalesToOthers) {
  Pace pace;
  pace.Observe("a", 1, 50, kNow);
  pace.Observe("a", 8, 320, kNow);
  EXPECT_EQ(pace.Expect("a", 1).mean, 50);
  EXPECT_EQ(pace.Expect("a", 8).mean, 320);
  EXPECT_EQ(pace.Expect("a", 4).mean, 160) << "in proportion to the next larger batch";
  EXPECT_EQ(pace.Expect("a", 16).mean, 640) << "or to the largest there is";
  EXPECT_EQ(pace.Expect("a", 1).measured, kNow);
}

TEST(PaceTest, ABatchIsWorthHavingWhereItsImagesCostLess) {
  Pace pace;
  EXPECT_EQ(pace.WorthHaving("a", 8), 8) << "nothing is known";
  EXPECT_EQ(pace.WorthTaking("a", 5, kNow), 5);
  pace.Observe("a", 1, 50, kNow);
  EXPECT_EQ(pace.WorthHaving("a", 8), 8) << "there is nothing to compare with";
  EXPECT_EQ(pace.WorthTaking("a", 5, kNow), 5);
  // A CPU: a batch of eight saves 4 of 100.
  pace.Observe("a", 8, 384, kNow);
  EXPECT_EQ(pace.WorthHaving("a", 8), 1);
  EXPECT_EQ(pace.WorthTaking("a", 5, kNow), 1);
  EXPECT_EQ(pace.WorthTaking("a", 5, kNow + std::chrono::minutes(2)), 5) << "machines change";
  // A GPU: it costs hardly more than one, and four are nearly as good.
  pace.Observe("b", 1, 50, kNow);
  pace.Observe("b", 4, 60, kNow);
  pace.Observe("b", 8, 70, kNow);
  EXPECT_EQ(pace.WorthHaving("b", 8), 8);
  EXPECT_EQ(pace.WorthHaving("b", 6), 6);
  EXPECT_EQ(pace.WorthTaking("b", 3, kNow), 3);
  pace.Observe("c", 4, 60, kNow);
  pace.Observe("c", 8, 112, kNow);
  EXPECT_EQ(pace.WorthTaking("c", 8, kNow), 4);
}

TEST(PaceTest, AnUnknownBucketIsTakenForTheMeanImage) {
  Pace pace;
  pace.Observe("a", 2, 100, kNow);
  EXPECT_EQ(pace.Expect("b", 3).mean, 150);
  EXPECT_TRUE(pace.Knows("a"));
  EXPECT_FALSE(pace.Knows("b"));
}

TEST(PaceTest, FollowsAMachineThatSlowsDownAndSpeedsUp) {
  Pace pace;
  for (int i = 0; i < 50; ++i) pace.Observe("a", 1, 10, kNow);
  EXPECT_NEAR(pace.Expect("a", 1).mean, 10, 1e-9);
  EXPECT_NEAR(pace.Expect("a", 1).safe, 10, 0.1) << "it never varied";
  for (int i = 0; i < 10; ++i) pace.Observe("a", 1, 40, kNow);
  EXPECT_GT(pace.Expect("a", 1).mean, 35);
  EXPECT_GT(pace.Expect("a", 1).safe, pace.Expect("a", 1).mean);
  for (int i = 0; i < 20; ++i) pace.Observe("a", 1, 10, kNow);
  EXPECT_LT(pace.Expect("a", 1).mean, 11);
}

TEST(PaceTest, OneColdRunIsForgottenSoon) {
  Pace pace;
  pace.Observe("a", 1, 1000, kNow);
  for (int i = 0; i < 20; ++i) pace.Observe("a", 1, 10, kNow);
  EXPECT_LT(pace.Expect("a", 1).mean, 30);
}

TEST(PaceTest, CallersCannotMakeItGrow) {
  Pace pace;
  for (int i = 0; i < 100'000; ++i) pace.Observe(absl::StrCat("bucket", i), 1, 5, kNow);
  int known = 0;
  for (int i = 0; i < 100'000; ++i) known += pace.Knows(absl::StrCat("bucket", i));
  EXPECT_LE(known, 256);
  EXPECT_NEAR(pace.ExpectAny(1).mean, 5, 1e-9);
}

TEST(PaceTest, NonsenseIsNotLearnt) {
  Pace pace;
  pace.Observe("a", 0, 100, kNow);
  pace.Observe("a", -1, 100, kNow);
  EXPECT_FALSE(pace.Knows("a"));
}

}  // namespace
}  // namespace sightline::server
