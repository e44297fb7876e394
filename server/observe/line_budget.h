// LineBudget: how many lines of one kind the log takes, so that a storm of them fills no disk: a token bucket that
// holds one second's lines.
//
// Threading: Take from any thread. Failure: none.
#ifndef SIGHTLINE_SERVER_OBSERVE_LINE_BUDGET_H_
#define SIGHTLINE_SERVER_OBSERVE_LINE_BUDGET_H_

#include <algorithm>
#include <chrono>

#include "base/clock.h"
#include "base/mutex.h"

namespace sightline::server {

class LineBudget {
 public:
  LineBudget(const base::Clock& clock, int lines_per_second)
      : clock_(clock), rate_(lines_per_second), left_(lines_per_second), filled_(clock.Steady()) {}

  // Whether one more line may be written now.
  bool Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    const base::Clock::Ticks now = clock_.Steady();
    base::MutexLock lock(mutex_);
    // Calls of different threads come in any order; time that is already filled in is not given twice.
    if (now > filled_) {
      left_ = std::min<double>(rate_, left_ + rate_ * std::chrono::duration<double>(now - filled_).count());
      filled_ = now;
    }
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
  }

 private:
  const base::Clock& clock_;
  const int rate_;
  base::Mutex mutex_;
  double left_ ABSL_GUARDED_BY(mutex_);
  base::Clock::Ticks filled_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_OBSERVE_LINE_BUDGET_H_
