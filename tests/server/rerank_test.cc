// Re-ranking of hits against the clock, the memory and images without tokens.
#include "server/services/rerank.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/fake_index.h"
#include "tests/support/random_tokens.h"

namespace sightline::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::RandomTokens;

// Every look at it takes a millisecond.
class TickingClock : public base::Clock {
 public:
  absl::Time Now() const override { return absl::UnixEpoch(); }
  Ticks Steady() const override { return Ticks(std::chrono::milliseconds(now_++)); }
  void Restart() { now_ = 0; }
  static Ticks At(int64_t milliseconds) { return Ticks(std::chrono::milliseconds(milliseconds)); }

 private:
  mutable std::atomic<int64_t> now_ = 0;
};

class RerankTest : public ::testing::Test {
 protected:
  RerankTest() : collection_("shop") {
    choice_.on = true;
    query_.push_back({.tokens = RandomTokens(1, 3, 4)});
  }

  // `count` hits of falling score, h0 first, each with tokens of its own.
  std::vector<index::Hit> MakeHits(int count) {
    std::vector<index::Hit> hits;
    for (int i = 0; i < count; ++i) {
      const std::string id = absl::StrCat("h", i);
      hits.push_back({.id = id, .score = 0.9 - 0.001 * i, .rerank_score = std::nullopt, .rank_before_rerank = i + 1});
      collection_.tokens[id] = RandomTokens(static_cast<unsigned>(100 + i), 3 + i % 2, 4);
    }
    return hits;
  }

  absl::StatusOr<RerankOutcome> Run(std::vector<index::Hit> hits, int keep = 0, int64_t end = 1'000'000'000,
                                    int64_t max_token_bytes = kMaxTokenBytes) {
    Request request(clock_, TickingClock::At(1'000'000'000));
    return Rerank({.request = request,
                   .collection = collection_,
                   .query = query_,
                   .choice = choice_,
                   .keep = keep,
                   .end = TickingClock::At(end),
                   .max_token_bytes = max_token_bytes},
                  std::move(hits));
  }

  static std::vector<std::string> Ids(const RerankOutcome& outcome) {
    std::vector<std::string> ids;
    for (const RankedHit& hit : outcome.hits) ids.push_back(hit.hit.id);
    return ids;
  }

  // Those with a structural score come first, by their sum; the others stay in their old order.
  static void ExpectConsistent(const RerankOutcome& outcome, double weight) {
    bool scored = true;
    double last = 1e9;
    int place = 0;
    for (const RankedHit& hit : outcome.hits) {
      if (!hit.structural) {
        if (scored) place = 0;
        scored = false;
        EXPECT_GT(hit.hit.rank_before_rerank, place) << hit.hit.id;
        place = hit.hit.rank_before_rerank;
        EXPECT_FALSE(hit.hit.rerank_score.has_value());
        continue;
      }
      EXPECT_TRUE(scored) << hit.hit.id;
      EXPECT_DOUBLE_EQ(*hit.hit.rerank_score, hit.hit.score + weight * *hit.structural);
      EXPECT_LE(*hit.hit.rerank_score, last);
      last = *hit.hit.rerank_score;
    }
  }

  TickingClock clock_;
  testing::FakeCollection collection_;
  RerankChoice choice_;
  std::vector<QueryTokens> query_;
};

TEST_F(RerankTest, TheSamePatchesComeFirst) {
  std::vector<index::Hit> hits = MakeHits(20);
  collection_.tokens["h13"] = query_[0].tokens;
  const auto outcome = Run(hits);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->hits.front().hit.id, "h13");
  EXPECT_EQ(outcome->hits.front().hit.rank_before_rerank, 14);
  EXPECT_EQ(outcome->requested, 20);
  EXPECT_EQ(outcome->completed, 20);
  EXPECT_THAT(outcome->degraded_reasons, IsEmpty());
  EXPECT_EQ(outcome->hits.size(), 20u);
  ExpectConsistent(*outcome, 1);
}

TEST_F(RerankTest, WhatIsBelowTheShortlistStays) {
  std::vector<index::Hit> hits = MakeHits(6);
  collection_.tokens["h2"] = collection_.tokens["h5"] = query_[0].tokens;
  choice_.shortlist = 3;
  const auto outcome = Run(hits);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(Ids(*outcome)[0], "h2");
  EXPECT_EQ(Ids(*outcome)[3], "h3");
  EXPECT_EQ(Ids(*outcome)[5], "h5");
  EXPECT_FALSE(outcome->hits[5].structural.has_value());
  EXPECT_EQ(outcome->requested, 3);
}

TEST_F(RerankTest, AWeightOfZeroLeavesTheCosinesOrder) {
  choice_.weight = 0;
  const auto outcome = Run(MakeHits(12));
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  for (int i = 0; i < 12; ++i) EXPECT_EQ(Ids(*outcome)[static_cast<size_t>(i)], absl::StrCat("h", i));
  ExpectConsistent(*outcome, 0);
}

TEST_F(RerankTest, ImagesWithoutTokensStandBehindAndAreTold) {
  std::vector<index::Hit> hits = MakeHits(5);
  collection_.tokens.erase("h0");
  collection_.tokens["h1"] = RandomTokens(7, 3, 4, /*dim=*/8);  // of another dimension: not to be compared
  const auto outcome = Run(hits);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(Ids(*outcome)[3], "h0");
  EXPECT_EQ(Ids(*outcome)[4], "h1");
  EXPECT_EQ(outcome->requested, 5);
  EXPECT_EQ(outcome->completed, 3);
  EXPECT_THAT(outcome->degraded_reasons, ElementsAre(HasSubstr("2 of 5 results have no patch tokens")));
  ExpectConsistent(*outcome, 1);
}

TEST_F(RerankTest, AtEveryMomentTheOrderIsConsistent) {
  constexpr int kCount = 240;
  const std::vector<index::Hit> hits = MakeHits(kCount);
  choice_.shortlist = kCount;
  int partial = 0;
  // With a pool of none, a look at the clock comes before each read and each portion, and around each stage.
  for (int64_t end = 0; end < 200; ++end) {
    SCOPED_TRACE(end);
    clock_.Restart();
    const auto outcome = Run(hits, 0, end);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    ASSERT_EQ(outcome->hits.size(), static_cast<size_t>(kCount));
    EXPECT_EQ(outcome->requested, kCount);
    ExpectConsistent(*outcome, 1);
    if (outcome->completed == kCount) {
      EXPECT_THAT(outcome->degraded_reasons, IsEmpty());
      break;
    }
    partial += outcome->completed > 0 ? 1 : 0;
    EXPECT_THAT(outcome->degraded_reasons,
                ElementsAre(HasSubstr(
                    absl::StrCat("re-ranked ", outcome->completed, " of ", kCount, " results before the deadline"))));
  }
  EXPECT_GT(partial, 0);
}

TEST_F(RerankTest, NoMoreTokensAreKeptThanThereIsMemoryFor) {
  const std::vector<index::Hit> hits = MakeHits(150);
  choice_.shortlist = 150;
  const auto outcome = Run(hits, 0, 1'000'000'000, /*max_token_bytes=*/50'000);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_GT(outcome->completed, 10);
  EXPECT_LT(outcome->completed, 100);
  EXPECT_THAT(outcome->degraded_reasons, ElementsAre(HasSubstr("take too much memory")));
  ExpectConsistent(*outcome, 1);
}

TEST_F(RerankTest, ACancelledSearchEnds) {
  Request request(clock_, TickingClock::At(1'000'000'000));
  request.Cancel();
  const auto outcome = Rerank({.request = request,
                               .collection = collection_,
                               .query = query_,
                               .choice = choice_,
                               .end = TickingClock::At(1'000'000)},
                              MakeHits(3));
  EXPECT_TRUE(absl::IsCancelled(outcome.status())) << outcome.status();
}

TEST_F(RerankTest, NothingToRerankIsNothing) {
  const auto outcome = Run({});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_THAT(outcome->hits, IsEmpty());
  EXPECT_EQ(outcome->requested, 0);
}

TEST_F(RerankTest, TheBestAreTheSameWhenOnlyTheyAreWanted) {
  const std::vector<index::Hit> hits = MakeHits(90);
  const auto all = Run(hits);
  ASSERT_TRUE(all.ok()) << all.status();
  for (const int keep : {1, 5, 30}) {
    const auto some = Run(hits, keep);
    ASSERT_TRUE(some.ok()) << some.status();
    EXPECT_EQ(some->completed, 90);
    for (size_t i = 0; i < static_cast<size_t>(keep); ++i) EXPECT_EQ(Ids(*some)[i], Ids(*all)[i]) << keep << " " << i;
  }
}

TEST(EndOfExtrasTest, LeavesTimeForTheRest) {
  TickingClock clock;
  const auto left = [&](int64_t whole, absl::Duration rest) {
    const Request request(clock, clock.Steady() + std::chrono::milliseconds(whole));
    return absl::FromChrono(request.deadline() - EndOfExtras(request, rest));
  };
  EXPECT_NEAR(absl::ToDoubleMilliseconds(left(10, absl::ZeroDuration())), 5, 1);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(left(400, absl::ZeroDuration())), 20, 1);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(left(60'000, absl::ZeroDuration())), 50, 1);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(left(60'000, absl::Milliseconds(30))), 80, 1);
}

}  // namespace
}  // namespace sightline::server
