// Clock: time as a dependency, so that tests decide what time it is.
//
// Threading: all methods may be called from any thread. Failure: none.
#ifndef SIGHTLINE_BASE_CLOCK_H_
#define SIGHTLINE_BASE_CLOCK_H_

#include <chrono>

#include "absl/time/time.h"

namespace sightline::base {

class Clock {
 public:
  using Ticks = std::chrono::steady_clock::time_point;

  virtual ~Clock() = default;

  // Wall-clock time, for what is stored and shown.
  virtual absl::Time Now() const = 0;
  // Monotonic time, for durations and deadlines.
  virtual Ticks Steady() const = 0;

  // The system's clock; lives for ever.
  static const Clock& Real();
};

inline double MillisecondsBetween(Clock::Ticks from, Clock::Ticks to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_CLOCK_H_
