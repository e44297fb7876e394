#include "server/run_gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace sightline::server {
namespace {

TEST(RunGateTest, AsManyRunAtOnceAsHaveCores) {
  EXPECT_EQ(RunGate::PassesFor(2, 0), 1);
  EXPECT_EQ(RunGate::PassesFor(2, 1), 2);
  EXPECT_EQ(RunGate::PassesFor(2, 2), 1);
  EXPECT_EQ(RunGate::PassesFor(2, 16), 1);
  EXPECT_EQ(RunGate::PassesFor(16, 4), 4);
}

TEST(RunGateTest, NeverMoreThanItsPasses) {
  for (const int passes : {1, 3}) {
    RunGate gate(passes);
    std::atomic<int> inside = 0;
    std::atomic<int> most = 0;
    std::atomic<int> runs = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 6; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 200; ++i) {
          const RunGate::Pass pass(&gate);
          const int now = ++inside;
          int seen = most;
          while (now > seen && !most.compare_exchange_weak(seen, now)) {
          }
          ++runs;
          --inside;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_LE(most, passes);
    EXPECT_EQ(runs, 1200);
  }
}

TEST(RunGateTest, WithoutAGateNothingWaits) {
  const RunGate::Pass one(nullptr);
  const RunGate::Pass two(nullptr);
}

}  // namespace
}  // namespace sightline::server
