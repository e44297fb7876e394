// CommitQueue: a bounded queue and the one thread that takes everything queued at once, so that concurrent writes share
// one sync of the disk.
//
// Threading: Push and pending from any thread; Close from any thread but the queue's own, once.
// Ownership: owns the items it accepted and its thread; Close (and the destructor) runs what is queued and joins.
// Failure: Push says why an item was not accepted; the item is then untouched.
//
//   CommitQueue<Operation> queue({.max_items = 4096}, commit);
//   if (queue.Push(operation, bytes) == Admission::kFull) return Busy();
#ifndef SIGHTLINE_INDEX_STORE_COMMIT_QUEUE_H_
#define SIGHTLINE_INDEX_STORE_COMMIT_QUEUE_H_

#include <pthread.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace sightline::index {

enum class Admission { kAccepted, kFull, kClosed };

template <typename Item>
class CommitQueue {
 public:
  struct Options {
    size_t max_items = 4096;            // that wait; those being committed no longer count
    size_t max_bytes = 256 << 20;       // the same; one larger item is taken when nothing waits
    size_t max_batch_bytes = 32 << 20;  // beyond it a batch is closed, so that one sync does not take seconds
  };

  CommitQueue(Options options, std::function<void(std::vector<Item>)> commit)
      : options_(options), commit_(std::move(commit)), thread_([this] { Run(); }) {}
  ~CommitQueue() { Close(); }
  CommitQueue(const CommitQueue&) = delete;
  CommitQueue& operator=(const CommitQueue&) = delete;

  [[nodiscard]] Admission Push(Item& item, size_t bytes) {
    base::MutexLock lock(mutex_);
    if (closed_) return Admission::kClosed;
    if (queue_.size() >= options_.max_items) return Admission::kFull;
    if (!queue_.empty() && bytes_ + bytes > options_.max_bytes) return Admission::kFull;
    bytes_ += bytes;
    queue_.emplace_back(std::move(item), bytes);
    ready_.NotifyOne();
    return Admission::kAccepted;
  }

  void Close() {
    {
      base::MutexLock lock(mutex_);
      closed_ = true;
      ready_.NotifyOne();
    }
    if (thread_.joinable()) thread_.join();
  }

  size_t pending() const {
    base::MutexLock lock(mutex_);
    return queue_.size();
  }

 private:
  void Run() {
    pthread_setname_np(pthread_self(), "commit");
    while (true) {
      std::vector<Item> batch;
      size_t batch_bytes = 0;
      {
        base::MutexLock lock(mutex_);
        while (queue_.empty() && !closed_) ready_.Wait(mutex_);
        if (queue_.empty()) return;
        while (!queue_.empty() && (batch.empty() || batch_bytes + queue_.front().second <= options_.max_batch_bytes)) {
          batch_bytes += queue_.front().second;
          batch.push_back(std::move(queue_.front().first));
          queue_.pop_front();
        }
        bytes_ -= batch_bytes;
      }
      commit_(std::move(batch));
    }
  }

  const Options options_;
  const std::function<void(std::vector<Item>)> commit_;
  mutable base::Mutex mutex_;
  base::CondVar ready_;
  std::deque<std::pair<Item, size_t>> queue_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_COMMIT_QUEUE_H_
