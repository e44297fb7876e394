#include "base/for_each.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace sightline::base {
namespace {

TEST(ForEachTest, DoesEveryItemOnce) {
  std::vector<int> done(100);
  EXPECT_TRUE(ForEach(done.size(), 3, [&](size_t i, size_t thread) {
                EXPECT_LT(thread, 3u);
                ++done[i];
                return absl::OkStatus();
              }).ok());
  EXPECT_THAT(done, ::testing::Each(1));
  EXPECT_TRUE(ForEach(0, 3, [](size_t, size_t) { return absl::InternalError("there is none"); }).ok());
}

TEST(ForEachTest, StopsWithTheFirstFailure) {
  for (const size_t threads : {1u, 3u}) {
    std::atomic<size_t> begun = 0;
    const absl::Status status = ForEach(100, threads, [&](size_t i, size_t) {
      ++begun;
      return i == 40 ? absl::InternalError("forty") : absl::OkStatus();
    });
    EXPECT_EQ(status.message(), "forty");
    if (threads == 1) {
      EXPECT_EQ(begun, 41u);
    }
  }
}

}  // namespace
}  // namespace sightline::base
