// LineBudget: how many lines of one kind the log takes, so that a storm of them fills no disk: a token bucket that
// holds one second's lines.
//
// Threading: Take from any thread. Ownership: by value; the clock outlives it. Failure: none.
//
//   if (lines_.Take()) base::Log(base::Severity::kWarning, ...);
#ifndef SIGHTLINE_BASE_LINE_BUDGET_H_
#define SIGHTLINE_BASE_LINE_BUDGET_H_

#include <algorithm>
#include <chrono>

#include "base/clock.h"
#include "base/mutex.h"

namespace sightline::base {

class LineBudget {
 public:
  LineBudget(const Clock& clock, int lines_per_second)
      : clock_(clock), rate_(lines_per_second), left_(lines_per_second), filled_(clock.Steady()) {}

  // Whether one more line may be written now.
  bool Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    const Clock::Ticks now = clock_.Steady();
    MutexLock lock(mutex_);
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
  const Clock& clock_;
  const int rate_;
  Mutex mutex_;
  double left_ ABSL_GUARDED_BY(mutex_);
  Clock::Ticks filled_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_LINE_BUDGET_H_
