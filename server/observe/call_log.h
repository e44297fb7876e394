// CallLog: gives every call its ids and writes down how it went.
//
// * Ids: a sane `x-request-id` of the caller is kept, otherwise one is made; it is answered under the same name. A W3C
//   `traceparent` puts the call into the caller's trace: it gets a span of its own, answered as `traceparent`, and the
//   caller's `tracestate` is answered with it as it came. Headers that are not sane are ignored and counted.
// * Lines: every call at debug level; calls that took `slow_request` or longer (bulk work: without its waits) as a
//   warning with the time of every stage; failures of the server's own making (INTERNAL, UNKNOWN, DATA_LOSS) as errors;
//   images that cost a decoder its life as warnings, since nothing else says whose they were. Slow calls, and the
//   others together, are bounded by `lines_per_second`, and what is left out is counted.
// * The last slow calls and the last failures, for /statusz.
//
// Threading: all methods may be called from any thread. Ownership: the server's; outlives calls. Failure: none, no call
// is refused.
//
//   CallLog log({.slow_request = absl::Seconds(1)}, base::Clock::Real(), metrics);
//   CallEnvironment environment(clock, limits, metrics, {&log});  // first, so that refused calls have ids, too
#ifndef SIGHTLINE_SERVER_OBSERVE_CALL_LOG_H_
#define SIGHTLINE_SERVER_OBSERVE_CALL_LOG_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/line_budget.h"
#include "base/log.h"
#include "base/mutex.h"
#include "server/call_observer.h"
#include "server/metrics.h"

namespace sightline::server {

// A call that was slow or failed.
struct Incident {
  absl::Time time;
  CallInfo call;
  absl::StatusCode code;
  std::string reason;
  std::string message;  // empty for a call that went well
  double milliseconds;
  std::vector<Stage> stages;
};

class CallLog final : public CallObserver {
 public:
  struct Options {
    absl::Duration slow_request = absl::Seconds(1);  // 0: no call is slow
    int lines_per_second = 10;
    size_t kept = 16;  // slow calls, and failures, that are remembered
  };
  using Write = std::function<void(base::Severity, absl::string_view, const base::LogFields&)>;

  CallLog(const Options& options, const base::Clock& clock, Metrics& metrics, Write write = &base::Log);

  absl::Status Arrived(const CallMetadata& metadata, CallInfo* call) override;
  void Ended(const Request& request, const absl::Status& status) override;

  // Newest first.
  std::vector<Incident> last_slow() const;
  std::vector<Incident> last_failures() const;

 private:
  void Remember(std::deque<Incident>* ring, const Request& request, const absl::Status& status, double milliseconds);

  const Options options_;
  const base::Clock& clock_;
  Metrics& metrics_;
  const Write write_;
  base::LineBudget slow_lines_;
  base::LineBudget failure_lines_;
  mutable base::Mutex mutex_;
  std::deque<Incident> slow_ ABSL_GUARDED_BY(mutex_);
  std::deque<Incident> failures_ ABSL_GUARDED_BY(mutex_);
};

// One entry for each name, in the order of their first start: milliseconds are added up, the batch is the largest.
std::vector<Stage> AddUp(const std::vector<Stage>& stages);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_OBSERVE_CALL_LOG_H_
