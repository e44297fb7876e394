// Retry: which errors are worth another attempt, and how long to wait before it.
//
// Threading: pure functions. Failure: none.
//
//   if (attempt < policy.max_attempts && IsRetryable(status)) Wait(Backoff(policy, attempt, status, jitter));
#ifndef SIGHTLINE_CLIENT_CPP_RETRY_H_
#define SIGHTLINE_CLIENT_CPP_RETRY_H_

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace sightline::client {

struct RetryPolicy {
  int max_attempts = 8;  // the first attempt included
  absl::Duration initial_backoff = absl::Milliseconds(100);
  absl::Duration max_backoff = absl::Seconds(5);
};

// True for UNAVAILABLE, for ABORTED, and for RESOURCE_EXHAUSTED where the server says when to come back: a queue that
// is full empties again, a message that is too large stays too large.
bool IsRetryable(const absl::Status& status);

// The wait after the failed attempt number `attempt` (from 1): initial * 2^(attempt - 1), at most max_backoff, times
// `jitter` (0.5 to 1, so that many clients do not come back at once), and never less than the server's RetryInfo.
absl::Duration Backoff(const RetryPolicy& policy, int attempt, const absl::Status& status, double jitter);

}  // namespace sightline::client

#endif  // SIGHTLINE_CLIENT_CPP_RETRY_H_
