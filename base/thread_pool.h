// ThreadPool: a fixed number of threads that take tasks from one bounded queue, in order.
//
// Threading: all methods may be called from any thread, except that the destructor must not run on a pool thread.
// Ownership: the pool owns its threads; the destructor runs what is queued and joins.
// Failure: TrySubmit returns false when the queue is full or the pool is shutting down; the task is then untouched.
//
//   base::ThreadPool pool({.name = "search", .threads = 2, .max_queue = 256});
//   if (!pool.TrySubmit([] { Work(); })) return Busy();
#ifndef SIGHTLINE_BASE_THREAD_POOL_H_
#define SIGHTLINE_BASE_THREAD_POOL_H_

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
    size_t max_queue = 1024;                // tasks that wait, beyond those at work
    std::function<void()> on_thread_start;  // runs first on every thread
  };

  explicit ThreadPool(Options options);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // `task` must not throw.
  [[nodiscard]] bool TrySubmit(std::function<void()> task);

  size_t queue_depth() const;
  int threads() const { return static_cast<int>(threads_.size()); }

 private:
  void Run();

  const Options options_;
  mutable Mutex mutex_;
  CondVar ready_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_THREAD_POOL_H_
