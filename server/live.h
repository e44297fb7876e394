// Live: a setting that may change while the server runs.
//
// Threading: any thread. Ownership: a plain value; copies are independent. Failure: none.
//
//   Live<int64_t> budget = 1 << 30;
//   budget = 2 << 30;  // seen by who reads it next
#ifndef SIGHTLINE_SERVER_LIVE_H_
#define SIGHTLINE_SERVER_LIVE_H_

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"

namespace sightline::server {

template <typename T>
class Live {
 public:
  Live(T value) : value_(value) {}  // NOLINT(google-explicit-constructor): stands for its value
  Live(const Live& other) : value_(other.value_.load(std::memory_order_relaxed)) {}
  Live& operator=(const Live& other) { return *this = static_cast<T>(other); }
  Live& operator=(T value) {
    value_.store(value, std::memory_order_relaxed);
    return *this;
  }
  operator T() const { return value_.load(std::memory_order_relaxed); }  // NOLINT(google-explicit-constructor)

 private:
  std::atomic<T> value_;
};

// To the nanosecond, up to 292 years.
class LiveDuration {
 public:
  LiveDuration(absl::Duration value)  // NOLINT(google-explicit-constructor): stands for its value
      : nanoseconds_(absl::ToInt64Nanoseconds(value)) {}
  operator absl::Duration() const {
    return absl::Nanoseconds(static_cast<int64_t>(nanoseconds_));
  }  // NOLINT(google-explicit-constructor)

 private:
  Live<int64_t> nanoseconds_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_LIVE_H_
