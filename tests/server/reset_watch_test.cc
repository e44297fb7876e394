// A connection on which more calls were started than can be open, and than anybody has heard of, is found; a crowd of
// callers who are only waiting is not.
#include "server/rpc/reset_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace sightline::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Peers = std::vector<std::string>;

constexpr int64_t kMost = ResetWatch::kMost;

class ResetWatchTest : public ::testing::Test {
 protected:
  // 10 ms later: `calls` more were started by each, of which so many were heard of in all.
  Peers Look(const std::map<std::string, int64_t>& calls, int64_t heard) {
    for (const auto& [peer, count] : calls) {
      started_by_[peer] += count;
      started_ += count;
    }
    heard_of_ += heard;
    clock_.Advance(absl::Milliseconds(10));
    return watch_.Look(started_, heard_of_, [this] {
      ++asked_;
      std::vector<ConnectionCalls> all;
      for (const auto& [peer, count] : started_by_) all.push_back({.peer = peer, .started = count});
      return all;
    });
  }

  sightline::testing::FakeClock clock_;
  ResetWatch watch_{clock_};
  std::map<std::string, int64_t> started_by_;
  int64_t started_ = 0;
  int64_t heard_of_ = 0;
  int asked_ = 0;
};

TEST_F(ResetWatchTest, CallsThatAreHeardOfAreNobodysBusiness) {
  for (int i = 0; i < 500; ++i) EXPECT_THAT(Look({{"busy", 1000}, {"other", 3}}, 1003), IsEmpty());
  EXPECT_EQ(asked_, 0) << "connections are not looked at without a reason";
}

TEST_F(ResetWatchTest, TheConnectionThatResetsIsFound) {
  Look({{"busy", 100}, {"idle", 1}}, 101);
  EXPECT_THAT(Look({{"busy", 50}, {"bad", kMost}}, 50), IsEmpty()) << "the first look is the one to compare with";
  EXPECT_THAT(Look({{"bad", kMost - 1}}, 0), IsEmpty());
  EXPECT_THAT(Look({{"bad", 1}, {"busy", 60}}, 0), ElementsAre("bad"));
  EXPECT_THAT(Look({{"bad", kMost - 1}}, 0), IsEmpty()) << "it is told once";
  EXPECT_THAT(Look({{"bad", 1}}, 0), ElementsAre("bad")) << "and again where that did not help";
}

TEST_F(ResetWatchTest, OneThatCameInBetweenIsFoundAtOnce) {
  Look({{"bad", kMost}}, 0);
  EXPECT_THAT(Look({{"worse", kMost}}, 0), ElementsAre("worse"));
}

TEST_F(ResetWatchTest, ManyWhoWaitAreNoAttack) {
  // 100 connections with as many calls open as they may have, on a server that is slow to hear of them.
  std::map<std::string, int64_t> crowd;
  for (int i = 0; i < 100; ++i) crowd[std::to_string(i)] = 128;
  EXPECT_THAT(Look(crowd, 0), IsEmpty());
  EXPECT_GT(asked_, 0);
  // Each opens another call for each that is answered.
  for (auto& [peer, count] : crowd) count = 10;
  for (int i = 0; i < 300; ++i) EXPECT_THAT(Look(crowd, 1000), IsEmpty()) << i;
}

TEST_F(ResetWatchTest, CallsThatNobodyEverHearsOfAreForgotten) {
  // A few of each second, for long.
  for (int i = 0; i < 2000; ++i) EXPECT_THAT(Look({{"hasty", 5}}, 4), IsEmpty());
  EXPECT_EQ(asked_, 0);
  Look({{"bad", kMost}}, 0);
  EXPECT_THAT(Look({{"bad", kMost}}, 0), ElementsAre("bad"));
}

TEST_F(ResetWatchTest, WhoCaughtUpBeginsAnew) {
  Look({{"slow", kMost}}, 0);
  EXPECT_THAT(Look({{"slow", kMost - 1}}, 0), IsEmpty());
  EXPECT_THAT(Look({}, 2 * kMost - 1), IsEmpty()) << "all were heard of";
  EXPECT_THAT(Look({{"slow", kMost}}, 0), IsEmpty()) << "the first look of another time";
}

TEST_F(ResetWatchTest, CallsThatAreResetUnreadAreCountedByTheSecond) {
  const auto reset = [this](const std::string& peer, int calls) {
    bool too_many = false;
    for (int i = 0; i < calls; ++i) too_many = watch_.Reset(peer) || too_many;
    return too_many;
  };
  clock_.Advance(absl::Seconds(1));
  EXPECT_FALSE(reset("a", ResetWatch::kMostResets - 1));
  EXPECT_FALSE(reset("b", ResetWatch::kMostResets - 1));
  clock_.Advance(absl::Seconds(1));
  EXPECT_FALSE(reset("a", ResetWatch::kMostResets - 1)) << "another second";
  EXPECT_TRUE(reset("a", 1));
  EXPECT_FALSE(reset("a", ResetWatch::kMostResets - 1)) << "it is told once";
  EXPECT_TRUE(reset("a", 1)) << "and again where that did not help";
}

}  // namespace
}  // namespace sightline::server
