#include "server/end_watch.h"

#include <gtest/gtest.h>

namespace sightline::server {
namespace {

TEST(EndWatchTest, WhatCannotBeInterruptedDoesNotHoldUpTheEnd) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const EndWatch watch(absl::Milliseconds(10));
        for (;;) ::pause();
      },
      ::testing::ExitedWithCode(0), "stopped without waiting any longer.*waited\":\"10ms");
}

TEST(EndWatchTest, WhatEndsInTimeIsLeftAlone) {
  { const EndWatch watch(absl::Hours(1)); }
  SUCCEED() << "and the process lives";
}

}  // namespace
}  // namespace sightline::server
