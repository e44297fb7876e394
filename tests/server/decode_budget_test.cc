#include "server/decode_budget.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/status.h"

namespace sightline::server {
namespace {

constexpr int64_t kMib = 1 << 20;

RequestPtr NewRequest(std::chrono::milliseconds time = std::chrono::hours(1)) {
  return std::make_shared<Request>(base::Clock::Real(), base::Clock::Real().Steady() + time);
}

TEST(DecodeBudgetTest, WhatIsTakenIsGivenBack) {
  DecodeBudget budget(100 * kMib);
  const RequestPtr request = NewRequest();
  {
    const auto first = budget.Take(60 * kMib, *request);
    ASSERT_TRUE(first.ok()) << first.status();
    const auto second = budget.Take(40 * kMib, *request);
    ASSERT_TRUE(second.ok()) << second.status();
    EXPECT_EQ(budget.in_use(), 100 * kMib);
  }
  EXPECT_EQ(budget.in_use(), 0);
}

TEST(DecodeBudgetTest, WhatNeverFitsIsRefused) {
  DecodeBudget budget(100 * kMib);
  const absl::Status status = budget.Take(101 * kMib, *NewRequest()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "image takes 101 MiB to decode; the limit for all images is 100 MiB. Resize it, or raise --decode_memory.");
  EXPECT_TRUE(budget.Take(100 * kMib, *NewRequest()).ok());
}

TEST(DecodeBudgetTest, OneThatWaitsIsServedWhenThereIsRoom) {
  DecodeBudget budget(100 * kMib);
  std::optional<absl::StatusOr<DecodeBudget::Share>> first(budget.Take(80 * kMib, *NewRequest()));
  std::atomic<bool> served = false;
  std::thread waiting([&] {
    const auto share = budget.Take(50 * kMib, *NewRequest());
    EXPECT_TRUE(share.ok()) << share.status();
    served = true;
  });
  EXPECT_FALSE(served);
  first.reset();
  waiting.join();
  EXPECT_TRUE(served);
  EXPECT_EQ(budget.in_use(), 0);
}

TEST(DecodeBudgetTest, AnEndedRequestStopsWaitingAndLetsOthersPass) {
  DecodeBudget budget(100 * kMib);
  const auto first = budget.Take(80 * kMib, *NewRequest());
  ASSERT_TRUE(first.ok());
  const RequestPtr cancelled = NewRequest();
  cancelled->Cancel();
  EXPECT_EQ(budget.Take(50 * kMib, *cancelled).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(budget.Take(50 * kMib, *NewRequest(std::chrono::milliseconds(20))).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(budget.Take(20 * kMib, *NewRequest()).ok());
}

TEST(DecodeBudgetTest, NeverMoreThanTheLimitAtOnce) {
  DecodeBudget budget(100 * kMib);
  std::atomic<int64_t> now = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 200; ++round) {
        const int64_t bytes = (10 + (round * 7 + i * 13) % 60) * kMib;
        const auto share = budget.Take(bytes, *NewRequest());
        ASSERT_TRUE(share.ok());
        EXPECT_LE(now += bytes, 100 * kMib);
        now -= bytes;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(budget.in_use(), 0);
}

}  // namespace
}  // namespace sightline::server
