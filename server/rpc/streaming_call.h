// StreamingCall: what every call with a stream does alike. It waits for a caller, makes place for the next one when a
// caller has come, is told when the caller has gone or been answered, and releases itself.
//
// Threading: tags come on completion-queue threads. Ownership: the object owns itself; Release ends it.
#ifndef SIGHTLINE_SERVER_RPC_STREAMING_CALL_H_
#define SIGHTLINE_SERVER_RPC_STREAMING_CALL_H_

#include <grpcpp/completion_queue.h>
#include <grpcpp/server_context.h>

#include <atomic>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "server/rpc/call_environment.h"
#include "server/rpc/tag.h"

namespace sightline::server {

// `Method` has `environment`, a CallEnvironment*.
template <typename Method>
class StreamingCall : public DrainableStream {
 protected:
  StreamingCall(const Method* method, grpc::ServerCompletionQueue* queue) : method_(*method), queue_(queue) {
    context_.AsyncNotifyWhenDone(&over_tag_);
  }

  // A caller has come: listen for the next one, then begin.
  virtual void Begin() = 0;
  // The caller has its answer, or has gone. Called once.
  virtual void End(bool cancelled) = 0;

  // The caller's move: from now on, until AwaitsNothing, the call waits for it.
  void AwaitsCaller() { awaiting_since_ = method_.environment->Now().time_since_epoch().count(); }
  void AwaitsNothing() { awaiting_since_ = 0; }

  // A call that waits for its caller breaks: its next tag says so.
  void EndIfIdle(base::Clock::Ticks since) override {
    const base::Clock::Ticks::rep awaiting = awaiting_since_;
    if (awaiting != 0 && awaiting < since.time_since_epoch().count()) context_.TryCancel();
  }

  // Nobody may touch the object afterwards.
  void Release() {
    CallEnvironment* const environment = method_.environment;
    environment->RemoveStream(this);
    delete this;
    environment->CallEnds();
  }

  static absl::Status PoolIsFull() {
    return base::RetryableError(absl::StatusCode::kResourceExhausted, "WORK_QUEUE_FULL",
                                "too many transfers wait for the disk. Try again in a moment.", absl::Seconds(1));
  }

  // `advice`: what to do, a sentence.
  static absl::Status CallerGone(absl::string_view advice) {
    return base::Error(absl::StatusCode::kCancelled, "CANCELLED", absl::StrCat("the caller went away. ", advice));
  }

  // `advice`: what became of the stream and what to do.
  static absl::Status Draining(absl::string_view advice) {
    return base::RetryableError(absl::StatusCode::kUnavailable, "DRAINING",
                                absl::StrCat("the server is shutting down", advice), absl::Seconds(1));
  }

  const Method& method_;
  grpc::ServerCompletionQueue* const queue_;
  grpc::ServerContext context_;

 private:
  void Arrive(bool ok) {
    if (!ok) {  // the server shuts down; the over tag never comes for a call that never began
      delete this;
      return;
    }
    arrived_ = method_.environment->Now();
    method_.environment->CallBegins();
    method_.environment->AddStream(this);
    Begin();
  }

  void Over(bool) {
    const bool cancelled = context_.IsCancelled();
    CallEnvironment& environment = *method_.environment;
    if (cancelled) environment.GivenUp(context_, base::MillisecondsBetween(arrived_, environment.Now()));
    End(cancelled);
  }

  base::Clock::Ticks arrived_;
  std::atomic<base::Clock::Ticks::rep> awaiting_since_ = 0;
  MethodTag<StreamingCall, &StreamingCall::Over> over_tag_{this};

 protected:
  // For the request that waits for a caller.
  MethodTag<StreamingCall, &StreamingCall::Arrive> arrive_tag_{this};
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_STREAMING_CALL_H_
