// CallEnvironment: what all calls of one gRPC server share.
//
// Threading: all methods may be called from any thread. Ownership: owned by RpcServer, outlives every call.
#ifndef SIGHTLINE_SERVER_RPC_CALL_ENVIRONMENT_H_
#define SIGHTLINE_SERVER_RPC_CALL_ENVIRONMENT_H_

#include <grpcpp/server_context.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/call_observer.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/request.h"

namespace sightline::server {

// A stream that can be asked to end early.
class DrainableStream {
 public:
  virtual ~DrainableStream() = default;
  virtual void Drain() = 0;
  // Ends it if it has waited for its caller, to send or to take something, since before `since`.
  virtual void EndIfIdle(base::Clock::Ticks since) = 0;
};

// What is known of a method before anybody calls it.
struct CallMethod {
  std::string name;  // "SearchService/Search"
  Access access;
  Metrics::Method* metrics;
};

class CallEnvironment {
 public:
  // `observers` are asked in this order when a call arrives, and told in the reverse one when it ends. The first is
  // asked about every call, so that refused ones have their ids, too; the others once there is a place for the call.
  CallEnvironment(const base::Clock& clock, const Limits& limits, Metrics& metrics,
                  std::vector<CallObserver*> observers = {})
      : clock_(clock), limits_(limits), metrics_(metrics), observers_(std::move(observers)) {}

  const Limits& limits() const { return limits_; }
  Metrics& metrics() { return metrics_; }

  // The request of a call that has just arrived, with the deadline that Limits::TimeFor grants it.
  RequestPtr MakeRequest(const grpc::ServerContext& context) const;

  // Takes a place among the requests in hand, or says why there is none. Every OK is followed by one Leave.
  // `collection` is what the message is about, empty where it names none; `message_bytes` are held until it leaves.
  // Observers may answer headers only while nothing was sent yet: `may_answer` is false for what follows on a stream.
  absl::Status Enter(const CallMethod& method, grpc::ServerContext* context, absl::string_view collection,
                     int64_t message_bytes, Request* request, bool may_answer = true);
  void Leave(const CallMethod& method, const Request& request, const absl::Status& status);

  // Until then calls are refused with UNAVAILABLE, so that addresses can be bound before there is anything to serve.
  void AcceptCalls() { starting_.store(false, std::memory_order_release); }

  // Is told the peer of a call that was reset before anything was made of it; any thread. Set before calls come.
  void OnReset(std::function<void(const std::string& peer)> on_reset) { on_reset_ = std::move(on_reset); }
  // Its caller has given up a call that has been looked at for so long.
  void GivenUp(const grpc::ServerContext& context, double milliseconds) {
    // Nobody thinks better of it in less.
    constexpr double kLookedAt = 2;
    if (milliseconds < kLookedAt && on_reset_) on_reset_(context.peer());
  }

  // Call objects alive, waiting ones not counted.
  void CallBegins() {
    ++live_calls_;
    calls_begun_.fetch_add(1, std::memory_order_relaxed);
  }
  // So far.
  int64_t calls_begun() const { return calls_begun_.load(std::memory_order_relaxed); }
  void CallEnds();
  void WaitForCalls();

  // A call has its message, so that the server may end only when its answer is sent, which AnswerSent says. False while
  // the server drains: then nobody waits for it.
  bool AnswerDue();
  void AnswerSent();

  // From now on requests are refused and streams are asked to end. Returns when the answers to what was in hand are
  // sent, at `deadline` at the latest; what arrives meanwhile is refused with UNAVAILABLE, which tells a caller to try
  // another server.
  void Drain(base::Clock::Ticks deadline);
  bool draining() const { return draining_.load(std::memory_order_acquire); }
  // Ends streams that have waited for their callers longer than `most`.
  void EndIdleStreams(absl::Duration most);
  base::Clock::Ticks Now() const { return clock_.Steady(); }

  // Bytes of replies, those of streams among them, that callers have not taken yet. While they are more than the memory
  // for calls, new requests are refused: a caller that asks and never reads must not take the server's memory.
  void HoldReply(int64_t bytes) { unsent_bytes_ += bytes; }
  void ReplyTaken(int64_t bytes) { unsent_bytes_ -= bytes; }

  // Whether a stream that has requests in hand should read another one. Their bytes may take half of the memory for
  // calls; the rest is for calls that cannot be held back.
  bool RoomToReadOn() const { return message_bytes_ < limits_.grpc_memory_bytes / 2; }

  void AddStream(DrainableStream* stream);
  void RemoveStream(DrainableStream* stream);

 private:
  absl::Status TakePlace(int64_t message_bytes);
  void ReleasePlace(int64_t message_bytes);

  const base::Clock& clock_;
  const Limits& limits_;
  Metrics& metrics_;
  const std::vector<CallObserver*> observers_;
  std::function<void(const std::string&)> on_reset_;
  std::atomic<int> in_flight_ = 0;
  std::atomic<int> answers_due_ = 0;
  std::atomic<int> live_calls_ = 0;
  std::atomic<int64_t> calls_begun_ = 0;
  std::atomic<bool> starting_ = true;
  std::atomic<int64_t> message_bytes_ = 0;  // of requests in hand
  std::atomic<int64_t> unsent_bytes_ = 0;
  std::atomic<bool> draining_ = false;
  base::Mutex mutex_;
  base::CondVar changed_;  // a call or a stream has ended, or an answer was sent
  std::set<DrainableStream*> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_CALL_ENVIRONMENT_H_
