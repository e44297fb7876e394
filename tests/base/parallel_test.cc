#include "base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/thread_pool.h"

namespace sightline::base {
namespace {

// Holds the only thread of a pool until released.
class Blocker {
 public:
  explicit Blocker(ThreadPool& pool) {
    EXPECT_TRUE(pool.TrySubmit([this] {
      MutexLock lock(mutex_);
      started_ = true;
      changed_.NotifyAll();
      while (!released_) changed_.Wait(mutex_);
    }));
    MutexLock lock(mutex_);
    while (!started_) changed_.Wait(mutex_);
  }
  void Release() {
    MutexLock lock(mutex_);
    released_ = true;
    changed_.NotifyAll();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool released_ ABSL_GUARDED_BY(mutex_) = false;
};

std::vector<int> CallsOf(ThreadPool* pool, int parts) {
  // Not atomic: the caller must see what the parts wrote.
  std::vector<int> calls(static_cast<size_t>(parts), 0);
  ParallelFor(pool, parts, [&](int part) { ++calls[static_cast<size_t>(part)]; });
  return calls;
}

TEST(ParallelForTest, CallsEveryPartOnce) {
  ThreadPool pool({.name = "test", .threads = 3, .on_thread_start = {}});
  for (int round = 0; round < 200; ++round) {
    for (const int parts : {0, 1, 2, 3, 8}) {
      EXPECT_EQ(CallsOf(&pool, parts), std::vector<int>(static_cast<size_t>(parts), 1));
    }
  }
}

TEST(ParallelForTest, NeedsNoPool) { EXPECT_EQ(CallsOf(nullptr, 5), std::vector<int>(5, 1)); }

TEST(ParallelForTest, WaitsNeitherForABusyPoolNorForAFullQueue) {
  ThreadPool pool({.name = "test", .threads = 1, .max_queue = 1, .on_thread_start = {}});
  Blocker blocker(pool);
  EXPECT_EQ(CallsOf(&pool, 4), std::vector<int>(4, 1));  // a helper waits in the queue
  EXPECT_EQ(CallsOf(&pool, 4), std::vector<int>(4, 1));  // the queue is full
  blocker.Release();
}

TEST(ParallelForTest, UsesTheThreadsOfThePool) {
  ThreadPool pool({.name = "test", .threads = 1, .on_thread_start = {}});
  Mutex mutex;
  CondVar changed;
  int inside = 0;
  // Neither part ends before both have begun.
  ParallelFor(&pool, 2, [&](int) {
    MutexLock lock(mutex);
    ++inside;
    changed.NotifyAll();
    while (inside < 2) changed.Wait(mutex);
  });
  EXPECT_EQ(inside, 2);
}

TEST(ParallelForTest, PartZeroIsTheCallers) {
  ThreadPool pool({.name = "test", .threads = 3, .on_thread_start = {}});
  for (int round = 0; round < 200; ++round) {
    std::thread::id id;
    ParallelFor(&pool, 3, [&](int part) {
      if (part == 0) id = std::this_thread::get_id();
    });
    EXPECT_EQ(id, std::this_thread::get_id());
  }
}

TEST(ParallelForTest, MayBeCalledFromThePoolsOwnThreads) {
  ThreadPool pool({.name = "test", .threads = 2, .on_thread_start = {}});
  std::atomic<int> calls = 0;
  ParallelFor(&pool, 4, [&](int) { ParallelFor(&pool, 4, [&](int) { ++calls; }); });
  EXPECT_EQ(calls.load(), 16);
}

TEST(ParallelForTest, ManyCallersShareAPool) {
  ThreadPool pool({.name = "test", .threads = 2, .on_thread_start = {}});
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round) EXPECT_EQ(CallsOf(&pool, 3), std::vector<int>(3, 1));
    });
  }
  for (std::thread& caller : callers) caller.join();
}

}  // namespace
}  // namespace sightline::base
