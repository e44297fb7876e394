#include "server/rpc/call_environment.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::server {

RequestPtr CallEnvironment::MakeRequest(const grpc::ServerContext& context) const {
  const base::Clock::Ticks now = clock_.Steady();
  const gpr_timespec left =
      gpr_time_sub(gpr_convert_clock_type(context.raw_deadline(), GPR_CLOCK_MONOTONIC), gpr_now(GPR_CLOCK_MONOTONIC));
  std::chrono::nanoseconds wait = absl::ToChronoNanoseconds(limits_.default_deadline);
  // A call without a deadline has one at the end of time.
  if (left.tv_sec < absl::ToInt64Seconds(limits_.max_deadline)) {
    wait = std::chrono::seconds(left.tv_sec) + std::chrono::nanoseconds(left.tv_nsec);
  }
  return std::make_shared<Request>(clock_, now + wait);
}

absl::Status CallEnvironment::Enter(Metrics::Method* method) {
  metrics_.RequestStarted();
  const int now = ++in_flight_;
  absl::Status refusal;
  if (draining()) {
    refusal = base::RetryableError(absl::StatusCode::kUnavailable, "DRAINING",
                                   "the server is shutting down. Try again, on another server if there is one.",
                                   absl::Seconds(1));
  } else if (now > limits_.max_in_flight) {
    metrics_.CountRejected("in_flight");
    refusal = base::RetryableError(
        absl::StatusCode::kResourceExhausted, "TOO_MANY_REQUESTS",
        absl::StrCat("the server has ", limits_.max_in_flight,
                     " requests in hand, its limit. Try again after the delay given, or raise --max_in_flight."),
        absl::Milliseconds(250), {{"limit", absl::StrCat(limits_.max_in_flight)}, {"actual", absl::StrCat(now)}});
  }
  if (!refusal.ok()) {
    ReleasePlace();
    metrics_.RequestEnded(method, refusal.code(), 0);
  }
  return refusal;
}

void CallEnvironment::Leave(Metrics::Method* method, const Request& request, absl::StatusCode code) {
  ReleasePlace();
  const double milliseconds = request.ElapsedMilliseconds();
  for (const Stage& stage : request.stages()) metrics_.ObserveStage(stage.name, stage.milliseconds / 1e3);
  metrics_.ObserveStage("total", milliseconds / 1e3);
  metrics_.RequestEnded(method, code, milliseconds / 1e3);
}

void CallEnvironment::ReleasePlace() {
  if (--in_flight_ == 0 && draining()) {
    base::MutexLock lock(mutex_);
    changed_.NotifyAll();
  }
}

void CallEnvironment::CallEnds() {
  if (--live_calls_ == 0) {
    base::MutexLock lock(mutex_);
    changed_.NotifyAll();
  }
}

void CallEnvironment::WaitForCalls() {
  base::MutexLock lock(mutex_);
  while (live_calls_ != 0) changed_.Wait(mutex_);
}

void CallEnvironment::Drain(base::Clock::Ticks deadline) {
  draining_.store(true, std::memory_order_release);
  base::MutexLock lock(mutex_);
  // Drain() only starts the end of a stream; its last tag, which removes it from the set, comes on another thread.
  for (DrainableStream* stream : streams_) stream->Drain();
  while ((in_flight_ > 0 || !streams_.empty()) && changed_.WaitUntil(mutex_, deadline)) {
  }
}

void CallEnvironment::AddStream(DrainableStream* stream) {
  base::MutexLock lock(mutex_);
  streams_.insert(stream);
}

void CallEnvironment::RemoveStream(DrainableStream* stream) {
  base::MutexLock lock(mutex_);
  streams_.erase(stream);
  changed_.NotifyAll();
}

}  // namespace sightline::server
