#include "base/parallel.h"

#include <memory>

#include "base/mutex.h"
#include "base/thread_pool.h"

namespace sightline::base {
namespace {

// Outlives the call: a helper that gets its turn too late finds no part left and touches nothing else.
class SharedJob {
 public:
  SharedJob(int parts, absl::FunctionRef<void(int)> body) : parts_(parts), body_(body) {}

  void Do(int part) {
    body_(part);
    MutexLock lock(mutex_);
    if (++done_ == parts_) all_done_.NotifyAll();
  }

  void DoWhatIsLeft() {
    for (int part = Take(); part >= 0; part = Take()) Do(part);
  }

  void Wait() {
    MutexLock lock(mutex_);
    while (done_ < parts_) all_done_.Wait(mutex_);
  }

 private:
  int Take() {
    MutexLock lock(mutex_);
    return next_ < parts_ ? next_++ : -1;
  }

  const int parts_;
  const absl::FunctionRef<void(int)> body_;  // valid while a part is left or at work
  Mutex mutex_;
  CondVar all_done_;
  int next_ ABSL_GUARDED_BY(mutex_) = 1;  // part 0 is the caller's
  int done_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

void ParallelFor(ThreadPool* pool, int parts, absl::FunctionRef<void(int part)> body) {
  if (pool == nullptr || parts <= 1) {
    for (int part = 0; part < parts; ++part) body(part);
    return;
  }
  const auto job = std::make_shared<SharedJob>(parts, body);
  for (int helper = 1; helper < parts; ++helper) {
    if (!pool->TrySubmit([job] { job->DoWhatIsLeft(); })) break;
  }
  job->Do(0);
  job->DoWhatIsLeft();
  job->Wait();
}

}  // namespace sightline::base
