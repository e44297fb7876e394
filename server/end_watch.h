// EndWatch: ends the process when ending it well takes too long. What cannot be asked to stop, such as reading the
// files of a large model or a disk that hangs, must not keep a server from ending when it was promised to; ending at
// once loses nothing that was acknowledged.
//
// Threading: made and destroyed by one thread. Ownership: owns a thread. Failure: none.
//
//   const EndWatch watch(absl::Seconds(33));
//   ... end everything; once the watch is gone the process lives on ...
#ifndef SIGHTLINE_SERVER_END_WATCH_H_
#define SIGHTLINE_SERVER_END_WATCH_H_

#include <pthread.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "absl/time/time.h"
#include "base/log.h"
#include "base/mutex.h"

namespace sightline::server {

class EndWatch {
 public:
  explicit EndWatch(absl::Duration most)
      : most_(most), deadline_(std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(most)) {
    thread_ = std::thread([this] { Run(); });
  }
  ~EndWatch() {
    {
      base::MutexLock lock(mutex_);
      ended_ = true;
    }
    changed_.NotifyAll();
    thread_.join();
  }
  EndWatch(const EndWatch&) = delete;
  EndWatch& operator=(const EndWatch&) = delete;

 private:
  void Run() {
    pthread_setname_np(pthread_self(), "end-watch");
    base::MutexLock lock(mutex_);
    while (!ended_ && changed_.WaitUntil(mutex_, deadline_)) {
    }
    if (ended_) return;
    base::Log(base::Severity::kWarning, "stopped without waiting any longer: work that cannot be interrupted goes on",
              {{"waited", absl::FormatDuration(most_)}});
    // No destructors: threads are at work. It is what was asked for, so it is no failure.
    ::_exit(0);
  }

  const absl::Duration most_;
  const std::chrono::steady_clock::time_point deadline_;
  base::Mutex mutex_;
  base::CondVar changed_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_END_WATCH_H_
