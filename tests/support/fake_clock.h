// FakeClock: a clock that stands still until the test moves it.
//
// Threading: all methods may be called from any thread.
#ifndef SIGHTLINE_TESTS_SUPPORT_FAKE_CLOCK_H_
#define SIGHTLINE_TESTS_SUPPORT_FAKE_CLOCK_H_

#include <atomic>
#include <chrono>
#include <cstdint>

#include "absl/time/time.h"
#include "base/clock.h"

namespace sightline::testing {

class FakeClock : public base::Clock {
 public:
  absl::Time Now() const override { return absl::FromUnixMicros(kStart + micros_.load()); }
  Ticks Steady() const override { return Ticks(std::chrono::microseconds(micros_.load())); }

  void Advance(absl::Duration duration) { micros_ += absl::ToInt64Microseconds(duration); }

 private:
  static constexpr int64_t kStart = 1'700'000'000'000'000;  // 2023-11-14
  std::atomic<int64_t> micros_ = 0;
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_SUPPORT_FAKE_CLOCK_H_
