// ThreadPool: a fixed number of threads that take tasks from a bounded queue, in order. Tasks that can wait have a
// second queue, which gets every eighth turn while the first is not empty.
//
// Threading: all methods may be called from any thread, except that the destructor must not run on a pool thread.
// Ownership: the pool owns its threads; the destructor runs what is queued and joins.
// Failure: TrySubmit returns false when the queue is full or the pool is shutting down; the task is then never run.
//
//   base::ThreadPool pool({.name = "search", .threads = 2, .max_queue = 256});
//   if (!pool.TrySubmit([] { Work(); })) return Busy();
#ifndef SIGHTLINE_BASE_THREAD_POOL_H_
#define SIGHTLINE_BASE_THREAD_POOL_H_

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace sightline::base {

class ThreadPool {
 public:
  struct Options {
    std::string name;                       // thread name, at most 15 characters are shown by the system
    int threads = 1;                        // at least 1
    size_t max_queue = 1024;                // tasks that wait in each queue, beyond those at work
    std::function<void()> on_thread_start;  // runs first on every thread
  };

  explicit ThreadPool(Options options);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // What a task is worth: kLow waits for those that are kNormal.
  enum class Rank { kNormal, kLow };

  // `task` must not throw.
  [[nodiscard]] bool TrySubmit(std::function<void()> task, Rank rank = Rank::kNormal);

  size_t queue_depth() const;
  // How long a task of kNormal that came now would wait, judged by how long the last ones took.
  std::chrono::nanoseconds ExpectedWait() const;
  // Whether that is longer than `most`. One task for each thread may always wait.
  bool IsBehind(std::chrono::nanoseconds most) const;
  int threads() const { return static_cast<int>(threads_.size()); }

 private:
  void Run();
  std::function<void()> TakeTask() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  double ExpectedSeconds() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  mutable Mutex mutex_;
  CondVar ready_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::function<void()>> low_ ABSL_GUARDED_BY(mutex_);
  int turns_since_low_ ABSL_GUARDED_BY(mutex_) = 0;
  double task_seconds_ ABSL_GUARDED_BY(mutex_) = 0;  // moving mean
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_THREAD_POOL_H_
