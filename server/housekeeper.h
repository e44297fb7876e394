// Housekeeper: does something small again and again, on a thread of its own.
//
// Threading: one thread calls `work`; the destructor waits for it. Ownership: what `work` uses must outlive the object.
// Failure: none; `work` reports its own.
#ifndef SIGHTLINE_SERVER_HOUSEKEEPER_H_
#define SIGHTLINE_SERVER_HOUSEKEEPER_H_

#include <pthread.h>

#include <chrono>
#include <functional>
#include <thread>
#include <utility>

#include "base/mutex.h"

namespace sightline::server {

class Housekeeper {
 public:
  Housekeeper(std::chrono::nanoseconds period, std::function<void()> work)
      : period_(period), work_(std::move(work)), thread_([this] { Run(); }) {}
  ~Housekeeper() {
    {
      base::MutexLock lock(mutex_);
      stopping_ = true;
      changed_.NotifyAll();
    }
    thread_.join();
  }
  Housekeeper(const Housekeeper&) = delete;
  Housekeeper& operator=(const Housekeeper&) = delete;

 private:
  void Run() {
    pthread_setname_np(pthread_self(), "housekeeper");
    for (;;) {
      work_();
      const auto next = std::chrono::steady_clock::now() + period_;
      base::MutexLock lock(mutex_);
      while (!stopping_ && changed_.WaitUntil(mutex_, next)) {
      }
      if (stopping_) return;
    }
  }

  const std::chrono::nanoseconds period_;
  const std::function<void()> work_;
  base::Mutex mutex_;
  base::CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HOUSEKEEPER_H_
