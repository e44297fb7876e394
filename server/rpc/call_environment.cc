#include "server/rpc/call_environment.h"

#include <grpc/grpc_security_constants.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/rpc/gateway_metadata.h"

namespace sightline::server {
namespace {

class GrpcMetadata final : public CallMetadata {
 public:
  GrpcMetadata(grpc::ServerContext* context, bool may_answer) : context_(*context), may_answer_(may_answer) {}

  absl::string_view Header(absl::string_view name) const override {
    const auto& all = context_.client_metadata();
    const auto found = all.find(grpc::string_ref(name.data(), name.size()));
    return found == all.end() ? "" : absl::string_view(found->second.data(), found->second.size());
  }
  std::string Joined(absl::string_view name) const override {
    const auto [begin, end] = context_.client_metadata().equal_range(grpc::string_ref(name.data(), name.size()));
    std::string all;
    for (auto it = begin; it != end; ++it) {
      absl::StrAppend(&all, it == begin ? "" : ",", absl::string_view(it->second.data(), it->second.size()));
    }
    return all;
  }
  std::string Peer() const override { return IsGateway() ? std::string(Header(kGatewayPeer)) : context_.peer(); }
  std::string CertificateName() const override {
    if (IsGateway()) return std::string(Header(kGatewayCertificate));
    const auto auth = context_.auth_context();
    if (auth == nullptr || !auth->IsPeerAuthenticated()) return "";
    const auto names = auth->FindPropertyValues(GRPC_X509_CN_PROPERTY_NAME);
    return names.empty() ? "" : std::string(names.front().data(), names.front().size());
  }
  void Answer(absl::string_view name, absl::string_view value) const override {
    if (may_answer_) context_.AddInitialMetadata(std::string(name), std::string(value));
  }

  // What the HTTP gateway says of its callers is believed of nobody else.
  absl::Status Check() const {
    const bool says = !Header(kGatewayPeer).empty() || !Header(kGatewayCertificate).empty();
    if (!says || IsGateway()) return absl::OkStatus();
    return base::InvalidArgument("METADATA_RESERVED",
                                 absl::StrCat("the metadata ", kGatewayPeer, " and ", kGatewayCertificate,
                                              " are for this server's own use. Leave them out."),
                                 {{"field", kGatewayPeer}});
  }

 private:
  bool IsGateway() const { return IsGatewaySecret(Header(kGatewaySecret)); }

  grpc::ServerContext& context_;
  const bool may_answer_;
};

}  // namespace

RequestPtr CallEnvironment::MakeRequest(const grpc::ServerContext& context) const {
  const base::Clock::Ticks now = clock_.Steady();
  // A call without a deadline has one at the end of time.
  const gpr_timespec deadline = gpr_convert_clock_type(context.raw_deadline(), GPR_CLOCK_MONOTONIC);
  absl::Duration asked = absl::InfiniteDuration();
  if (gpr_time_cmp(deadline, gpr_inf_future(GPR_CLOCK_MONOTONIC)) != 0) {
    const gpr_timespec left = gpr_time_sub(deadline, gpr_now(GPR_CLOCK_MONOTONIC));
    asked = absl::Seconds(left.tv_sec) + absl::Nanoseconds(left.tv_nsec);
  }
  return std::make_shared<Request>(clock_, now + absl::ToChronoNanoseconds(limits_.TimeFor(asked)));
}

absl::Status CallEnvironment::TakePlace(int64_t message_bytes) {
  const int now = ++in_flight_;
  const int64_t held = message_bytes_ += message_bytes;
  if (draining()) {
    return base::RetryableError(absl::StatusCode::kUnavailable, "DRAINING",
                                "the server is shutting down. Try again, on another server if there is one.",
                                absl::Seconds(1));
  }
  if (starting_.load(std::memory_order_acquire)) {
    return base::RetryableError(absl::StatusCode::kUnavailable, "STARTING",
                                "the server is starting: it opens its collections and loads its models. Try again in a "
                                "moment; the health service says when it serves.",
                                absl::Seconds(1));
  }
  const int64_t unsent = unsent_bytes_.load(std::memory_order_relaxed);
  if (unsent > limits_.grpc_memory_bytes) {
    metrics_.CountRejected("unsent_replies");
    return base::RetryableError(
        absl::StatusCode::kResourceExhausted, "REPLIES_NOT_TAKEN",
        absl::StrCat(unsent, " bytes of replies wait for callers to take them; the limit is ",
                     limits_.grpc_memory_bytes, ". Read the replies of earlier requests, or raise --grpc_memory."),
        absl::Seconds(1), {{"limit", absl::StrCat(limits_.grpc_memory_bytes)}, {"actual", absl::StrCat(unsent)}});
  }
  // One alone always fits: no message is larger than that memory.
  if (held > limits_.grpc_memory_bytes && held > message_bytes) {
    metrics_.CountRejected("message_memory");
    return base::RetryableError(
        absl::StatusCode::kResourceExhausted, "MESSAGES_FULL",
        absl::StrCat("the requests in hand and this one have ", held, " bytes; the limit is ",
                     limits_.grpc_memory_bytes, ". Try again after the delay given, or raise --grpc_memory."),
        absl::Milliseconds(250), {{"limit", absl::StrCat(limits_.grpc_memory_bytes)}, {"actual", absl::StrCat(held)}});
  }
  if (now <= limits_.max_in_flight) return absl::OkStatus();
  metrics_.CountRejected("in_flight");
  return base::RetryableError(
      absl::StatusCode::kResourceExhausted, "TOO_MANY_REQUESTS",
      absl::StrCat("the server has ", limits_.max_in_flight,
                   " requests in hand, its limit. Try again after the delay given, or raise --max_in_flight."),
      absl::Milliseconds(250), {{"limit", absl::StrCat(limits_.max_in_flight)}, {"actual", absl::StrCat(now)}});
}

absl::Status CallEnvironment::Enter(const CallMethod& method, grpc::ServerContext* context,
                                    absl::string_view collection, int64_t message_bytes, Request* request,
                                    bool may_answer) {
  metrics_.RequestStarted();
  CallInfo& call = *request->mutable_call();
  call.method = method.name;
  call.access = method.access;
  call.collection = std::string(collection);
  call.message_bytes = message_bytes;
  const GrpcMetadata metadata(context, may_answer);
  absl::Status refusal = TakePlace(message_bytes);
  if (refusal.ok()) refusal = metadata.Check();
  size_t asked = 0;
  while (asked < observers_.size() && (refusal.ok() || asked == 0)) {
    absl::Status status = observers_[asked++]->Arrived(metadata, &call);
    if (refusal.ok()) refusal = std::move(status);
  }
  if (refusal.ok()) return refusal;
  while (asked > 0) observers_[--asked]->Ended(*request, refusal);
  ReleasePlace(message_bytes);
  metrics_.RequestEnded(method.metrics, refusal.code(), 0);
  return refusal;
}

void CallEnvironment::Leave(const CallMethod& method, const Request& request, const absl::Status& status) {
  ReleasePlace(request.call().message_bytes);
  const double milliseconds = request.ElapsedMilliseconds();
  for (const Stage& stage : request.stages()) metrics_.ObserveStage(stage.name, stage.milliseconds / 1e3);
  metrics_.ObserveStage("total", milliseconds / 1e3);
  metrics_.RequestEnded(method.metrics, status.code(), milliseconds / 1e3);
  for (size_t i = observers_.size(); i > 0; --i) observers_[i - 1]->Ended(request, status);
}

void CallEnvironment::ReleasePlace(int64_t message_bytes) {
  message_bytes_ -= message_bytes;
  --in_flight_;
}

bool CallEnvironment::AnswerDue() {
  ++answers_due_;
  if (!draining()) return true;
  AnswerSent();
  return false;
}

void CallEnvironment::AnswerSent() {
  if (--answers_due_ > 0 || !draining()) return;
  base::MutexLock lock(mutex_);
  changed_.NotifyAll();
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
  while ((answers_due_ > 0 || !streams_.empty()) && changed_.WaitUntil(mutex_, deadline)) {
  }
}

void CallEnvironment::EndIdleStreams(absl::Duration most) {
  const base::Clock::Ticks since = clock_.Steady() - absl::ToChronoNanoseconds(most);
  base::MutexLock lock(mutex_);
  for (DrainableStream* stream : streams_) stream->EndIfIdle(since);
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
