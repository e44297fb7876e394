#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>

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

}  // namespace
}  // namespace sightline::base
