#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace sightline::base {
namespace {

TEST(ThreadPoolTest, RunsEveryAcceptedTaskBeforeItEnds) {
  std::atomic<int> ran = 0;
  int accepted = 0;
  {
    ThreadPool pool({.name = "test", .threads = 3, .max_queue = 1000, .on_thread_start = {}});
    for (int i = 0; i < 500; ++i) accepted += pool.TrySubmit([&ran] { ++ran; });
  }
  EXPECT_EQ(accepted, 500);
  EXPECT_EQ(ran, 500);
}

TEST(ThreadPoolTest, RefusesBeyondItsQueue) {
  Mutex mutex;
  CondVar changed;
  bool open = false;
  bool started = false;
  ThreadPool pool({.name = "test", .threads = 1, .max_queue = 2, .on_thread_start = {}});
  ASSERT_TRUE(pool.TrySubmit([&] {
    MutexLock lock(mutex);
    started = true;
    changed.NotifyAll();
    while (!open) changed.Wait(mutex);
  }));
  {
    MutexLock lock(mutex);
    while (!started) changed.Wait(mutex);
  }
  EXPECT_TRUE(pool.TrySubmit([] {}));
  EXPECT_TRUE(pool.TrySubmit([] {}));
  EXPECT_FALSE(pool.TrySubmit([] {}));
  EXPECT_EQ(pool.queue_depth(), 2u);
  MutexLock lock(mutex);
  open = true;
  changed.NotifyAll();
}

TEST(ThreadPoolTest, StartsEveryThreadWithTheHook) {
  std::atomic<int> starts = 0;
  {
    ThreadPool pool({.name = "test", .threads = 4, .max_queue = 1, .on_thread_start = [&] { ++starts; }});
  }
  EXPECT_EQ(starts, 4);
}

// A pool of one thread that can be held.
class HeldPool {
 public:
  HeldPool() { Hold(); }
  ~HeldPool() { Open(); }
  void Hold() {
    MutexLock lock(mutex_);
    held_ = false;
    const int mine = ++holds_;
    EXPECT_TRUE(pool_.TrySubmit([this, mine] {
      MutexLock held(mutex_);
      held_ = true;
      changed_.NotifyAll();
      while (opened_ < mine) changed_.Wait(mutex_);
    }));
    while (!held_) changed_.Wait(mutex_);
  }
  void Open() {
    MutexLock lock(mutex_);
    opened_ = holds_;
    changed_.NotifyAll();
  }
  ThreadPool* operator->() { return &pool_; }

 private:
  Mutex mutex_;
  CondVar changed_;
  int holds_ ABSL_GUARDED_BY(mutex_) = 0;
  int opened_ ABSL_GUARDED_BY(mutex_) = 0;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  ThreadPool pool_{{.name = "held", .threads = 1, .max_queue = 20, .on_thread_start = {}}};
};

TEST(ThreadPoolTest, LowRankWaitsButIsNotStarved) {
  std::vector<int> order;  // the one thread's
  {
    HeldPool pool;
    ASSERT_TRUE(pool->TrySubmit([&] { order.push_back(100); }, ThreadPool::Rank::kLow));
    ASSERT_TRUE(pool->TrySubmit([&] { order.push_back(101); }, ThreadPool::Rank::kLow));
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(pool->TrySubmit([&, i] { order.push_back(i); }));
    EXPECT_EQ(pool->queue_depth(), 22u) << "each rank has a queue of its own";
    EXPECT_FALSE(pool->TrySubmit([] {}));
    pool.Open();
  }
  ASSERT_EQ(order.size(), 22u);
  EXPECT_EQ(order[0], 0);
  const auto place = [&](int value) { return std::find(order.begin(), order.end(), value) - order.begin(); };
  EXPECT_GT(place(100), 4);
  EXPECT_LE(place(100), 8);
  EXPECT_LE(place(101), 16);
}

TEST(ThreadPoolTest, KnowsHowLongANewTaskWouldWait) {
  using std::chrono::milliseconds;
  HeldPool pool;
  EXPECT_EQ(pool->ExpectedWait().count(), 0) << "nothing is known";
  ASSERT_TRUE(pool->TrySubmit([] { std::this_thread::sleep_for(milliseconds(50)); }));
  pool.Open();
  pool.Hold();
  EXPECT_EQ(pool->ExpectedWait().count(), 0) << "nothing waits";
  EXPECT_FALSE(pool->IsBehind(milliseconds(0)));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(pool->TrySubmit([] {}, ThreadPool::Rank::kLow));
  EXPECT_FALSE(pool->IsBehind(milliseconds(0))) << "what waits is of lower rank";
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(pool->TrySubmit([] {}));
  // A tenth of the 50 ms, ten times.
  EXPECT_GE(pool->ExpectedWait(), milliseconds(50));
  EXPECT_TRUE(pool->IsBehind(milliseconds(40)));
  EXPECT_FALSE(pool->IsBehind(std::chrono::hours(1)));
}

}  // namespace
}  // namespace sightline::base
