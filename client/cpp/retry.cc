#include "client/cpp/retry.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"

namespace sightline::client {

bool IsRetryable(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted: return true;
    case absl::StatusCode::kResourceExhausted: return base::GetErrorInfo(status).retry_after.has_value();
    default: return false;
  }
}

absl::Duration Backoff(const RetryPolicy& policy, int attempt, const absl::Status& status, double jitter) {
  // Beyond 2^30 every sensible policy has reached its maximum.
  const double factor = std::ldexp(1.0, std::clamp(attempt - 1, 0, 30));
  const absl::Duration own = std::min(policy.initial_backoff * factor, policy.max_backoff) * jitter;
  return std::max(own, base::GetErrorInfo(status).retry_after.value_or(absl::ZeroDuration()));
}

}  // namespace sightline::client
