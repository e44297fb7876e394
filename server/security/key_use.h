// KeyUse: what one key has in hand and how fast it asks. It outlives the keys file's versions, so that a reload neither
// forgets calls under way nor refills a bucket.
//
// Threading: all methods from any thread. Ownership: shared by the versions of a key. Failure: none.
#ifndef SIGHTLINE_SERVER_SECURITY_KEY_USE_H_
#define SIGHTLINE_SERVER_SECURITY_KEY_USE_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/security/api_key.h"

namespace sightline::server {

class KeyUse {
 public:
  // Takes one request out of the bucket. When there is none: how long until there is.
  std::optional<absl::Duration> Take(const KeyRate& rate, base::Clock::Ticks now) {
    base::MutexLock lock(mutex_);
    if (!begun_) {
      begun_ = true;
      tokens_ = rate.burst;
    } else if (now > last_) {
      tokens_ += std::chrono::duration<double>(now - last_).count() * rate.per_second;
    }
    // The most there is room for, also after a reload has made the bucket smaller.
    tokens_ = std::min(tokens_, rate.burst);
    last_ = std::max(last_, now);
    if (tokens_ >= 1) {
      tokens_ -= 1;
      return std::nullopt;
    }
    return absl::Seconds((1 - tokens_) / rate.per_second);
  }

  // A place among the key's requests in hand, if there is one; every true is followed by one Return.
  bool Enter(std::optional<int> limit) {
    const int now = ++in_flight_;
    if (!limit.has_value() || now <= *limit) return true;
    --in_flight_;
    return false;
  }
  void Return() { --in_flight_; }
  int in_flight() const { return in_flight_; }

 private:
  std::atomic<int> in_flight_ = 0;
  base::Mutex mutex_;
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;
  double tokens_ ABSL_GUARDED_BY(mutex_) = 0;
  base::Clock::Ticks last_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SECURITY_KEY_USE_H_
