#include "base/thread_pool.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace sightline::base {
namespace {

// Every how many turns a task of low rank goes first.
constexpr int kLowShare = 8;

// The weight of the newest task in the moving mean.
constexpr double kNewestTask = 0.1;

}  // namespace

ThreadPool::ThreadPool(Options options) : options_(std::move(options)) {
  const int count = std::max(1, options_.threads);
  threads_.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) threads_.emplace_back([this] { Run(); });
}

ThreadPool::~ThreadPool() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  ready_.NotifyAll();
  for (std::thread& thread : threads_) thread.join();
}

bool ThreadPool::TrySubmit(std::function<void()> task, Rank rank) {
  {
    MutexLock lock(mutex_);
    std::deque<std::function<void()>>& queue = rank == Rank::kNormal ? queue_ : low_;
    if (stopping_ || queue.size() >= options_.max_queue) return false;
    queue.push_back(std::move(task));
  }
  ready_.NotifyOne();
  return true;
}

size_t ThreadPool::queue_depth() const {
  MutexLock lock(mutex_);
  return queue_.size() + low_.size();
}

double ThreadPool::ExpectedSeconds() const {
  return task_seconds_ * static_cast<double>(queue_.size()) / static_cast<double>(std::max(1, options_.threads));
}

std::chrono::nanoseconds ThreadPool::ExpectedWait() const {
  MutexLock lock(mutex_);
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(ExpectedSeconds()));
}

bool ThreadPool::IsBehind(std::chrono::nanoseconds most) const {
  MutexLock lock(mutex_);
  return queue_.size() >= static_cast<size_t>(std::max(1, options_.threads)) &&
         ExpectedSeconds() > std::chrono::duration<double>(most).count();
}

std::function<void()> ThreadPool::TakeTask() {
  const bool low = queue_.empty() || (!low_.empty() && turns_since_low_ + 1 >= kLowShare);
  turns_since_low_ = low ? 0 : turns_since_low_ + 1;
  std::deque<std::function<void()>>& queue = low ? low_ : queue_;
  std::function<void()> task = std::move(queue.front());
  queue.pop_front();
  return task;
}

void ThreadPool::Run() {
  pthread_setname_np(pthread_self(), options_.name.substr(0, 15).c_str());
  if (options_.on_thread_start) options_.on_thread_start();
  for (;;) {
    std::function<void()> task;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && low_.empty() && !stopping_) ready_.Wait(mutex_);
      if (queue_.empty() && low_.empty()) return;
      task = TakeTask();
    }
    const auto begin = std::chrono::steady_clock::now();
    task();
    task = nullptr;  // what it holds goes before the next one comes
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    MutexLock lock(mutex_);
    task_seconds_ += kNewestTask * (took.count() - task_seconds_);
  }
}

}  // namespace sightline::base
