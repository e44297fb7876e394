// The queue of writes alone: order, sharing of commits, bounds, closing.
#include "index/store/commit_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <thread>

namespace sightline::index {
namespace {

// A commit that waits until the test lets it go.
class Gate {
 public:
  void Open() {
    base::MutexLock lock(mutex_);
    open_ = true;
    changed_.NotifyAll();
  }
  void Pass() {
    base::MutexLock lock(mutex_);
    ++waiting_;
    changed_.NotifyAll();
    while (!open_) changed_.Wait(mutex_);
  }
  void AwaitSomeone() {
    base::MutexLock lock(mutex_);
    while (waiting_ == 0) changed_.Wait(mutex_);
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
};

TEST(CommitQueueTest, TakesEverythingQueuedAtOnceAndInOrder) {
  Gate gate;
  std::vector<std::vector<int>> batches;
  {
    CommitQueue<int> queue({}, [&](std::vector<int> batch) {
      gate.Pass();
      batches.push_back(std::move(batch));
    });
    for (int i = 0; i < 50; ++i) {
      int item = i;
      ASSERT_EQ(queue.Push(item, 1), Admission::kAccepted);
      if (i == 0) gate.AwaitSomeone();
    }
    gate.Open();
  }
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0], std::vector<int>{0});
  std::vector<int> rest(49);
  std::iota(rest.begin(), rest.end(), 1);
  EXPECT_EQ(batches[1], rest);
}

TEST(CommitQueueTest, IsBoundedByItemsAndBytesAndLeavesWhatItRefuses) {
  Gate gate;
  CommitQueue<std::string> queue({.max_items = 3, .max_bytes = 100}, [&](std::vector<std::string>) { gate.Pass(); });
  std::string item = "taken at once";
  ASSERT_EQ(queue.Push(item, 1), Admission::kAccepted);
  gate.AwaitSomeone();
  item = "larger than the bound, but nothing else waits";
  EXPECT_EQ(queue.Push(item, 1000), Admission::kAccepted);
  item = "refused for its bytes";
  EXPECT_EQ(queue.Push(item, 1), Admission::kFull);
  EXPECT_EQ(item, "refused for its bytes");
  gate.Open();
  queue.Close();
  EXPECT_EQ(queue.Push(item, 1), Admission::kClosed);
  EXPECT_EQ(queue.pending(), 0u);

  Gate second;
  CommitQueue<int> by_items({.max_items = 3}, [&](std::vector<int>) { second.Pass(); });
  int number = 0;
  ASSERT_EQ(by_items.Push(number, 1), Admission::kAccepted);
  second.AwaitSomeone();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(by_items.Push(number, 1), Admission::kAccepted);
  EXPECT_EQ(by_items.Push(number, 1), Admission::kFull);
  second.Open();
}

TEST(CommitQueueTest, ClosesABatchAtItsBytes) {
  Gate gate;
  std::vector<size_t> sizes;
  {
    CommitQueue<int> queue({.max_batch_bytes = 10}, [&](std::vector<int> batch) {
      gate.Pass();
      sizes.push_back(batch.size());
    });
    int item = 0;
    ASSERT_EQ(queue.Push(item, 1), Admission::kAccepted);
    gate.AwaitSomeone();
    for (const size_t bytes : {4, 4, 4, 50, 1, 1}) ASSERT_EQ(queue.Push(item, bytes), Admission::kAccepted);
    gate.Open();
  }
  EXPECT_EQ(sizes, (std::vector<size_t>{1, 2, 1, 1, 2}));
}

TEST(CommitQueueTest, CommitsEveryAcceptedItemOfManyThreads) {
  std::atomic<int64_t> sum = 0;
  std::atomic<int64_t> accepted = 0;
  {
    CommitQueue<int> queue({.max_items = 16}, [&](std::vector<int> batch) {
      for (const int item : batch) sum += item;
    });
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&queue, &accepted] {
        for (int i = 1; i <= 2000; ++i) {
          int item = i;
          if (queue.Push(item, 1) == Admission::kAccepted) accepted += i;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(sum.load(), accepted.load());
  EXPECT_GT(sum.load(), 0);
}

}  // namespace
}  // namespace sightline::index
