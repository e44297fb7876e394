#include "server/rpc/health_service.h"

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/rpc/guarded_message.h"
#include "server/rpc/status_map.h"
#include "server/rpc/tag.h"

namespace sightline::server {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// Lives until its caller goes or the connection ends.
class HealthService::WatchCall {
 public:
  static void Listen(HealthService* service, grpc::ServerCompletionQueue* queue) { new WatchCall(service, queue); }

 private:
  friend class HealthService;

  WatchCall(HealthService* service, grpc::ServerCompletionQueue* queue)
      : service_(*service), queue_(queue), stream_(&context_) {
    context_.AsyncNotifyWhenDone(&over_tag_);
    service_.watch_.Listen(&context_, &stream_, queue_, &arrive_tag_);
  }

  void Arrive(bool ok) {
    if (!ok) {  // the server shuts down; the over tag never comes for a call that never began
      delete this;
      return;
    }
    service_.environment_->CallBegins();
    Listen(&service_, queue_);
    ++tags_left_;
    stream_.Read(&guarded_, &read_tag_);
  }

  void Read(bool ok) {
    const absl::Status status = ok ? guarded_.status : MessageMissing();
    {
      base::MutexLock lock(service_.mutex_);
      if (!status.ok()) {
        ++tags_left_;
        stream_.Finish(ToGrpcStatus(status), &finished_tag_);
      } else if (!over_) {
        service_.watchers_.insert(this);
        service_.Tell(*this);
      }
    }
    Release();
  }

  void Written(bool ok) {
    {
      base::MutexLock lock(service_.mutex_);
      writing_ = false;
      if (due_) service_.environment_->AnswerSent();
      if (ok && !over_) service_.Tell(*this);
    }
    Release();
  }

  void Finished(bool) { Release(); }

  void Over(bool) {
    bool watched = false;
    {
      base::MutexLock lock(service_.mutex_);
      over_ = true;
      watched = service_.watchers_.erase(this) > 0;
    }
    if (!watched && context_.IsCancelled()) service_.environment_->GivenUp(context_, 0);
    Release();
  }

  // Of each tag that has come, at its end.
  void Release() {
    {
      base::MutexLock lock(service_.mutex_);
      if (--tags_left_ > 0) return;
    }
    CallEnvironment* const environment = service_.environment_;
    delete this;
    environment->CallEnds();
  }

  HealthService& service_;
  grpc::ServerCompletionQueue* const queue_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<HealthCheckResponse, Guarded<HealthCheckRequest>> stream_;
  Guarded<HealthCheckRequest> guarded_;
  HealthCheckResponse reply_;  // the last that was sent; UNKNOWN never is
  bool writing_ = false;
  bool due_ = false;  // the server waits for what is being written before it ends
  bool over_ = false;
  int tags_left_ = 1;  // that will come; the over tag to begin with
  MethodTag<WatchCall, &WatchCall::Arrive> arrive_tag_{this};
  MethodTag<WatchCall, &WatchCall::Read> read_tag_{this};
  MethodTag<WatchCall, &WatchCall::Written> written_tag_{this};
  MethodTag<WatchCall, &WatchCall::Finished> finished_tag_{this};
  MethodTag<WatchCall, &WatchCall::Over> over_tag_{this};
};

HealthService::HealthService(AsyncMethod check, AsyncMethod watch, CallEnvironment* environment)
    : check_{.async = check,
             .answer = [this](const HealthCheckRequest& request,
                              HealthCheckResponse* reply) { return Check(request, reply); },
             .stream = false,
             .environment = environment},
      watch_(watch),
      environment_(environment) {}

HealthService::~HealthService() = default;

void HealthService::SetServing(const std::string& service, bool serving) {
  base::MutexLock lock(mutex_);
  statuses_[service] = serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
  for (WatchCall* const watcher : watchers_) Tell(*watcher);
}

void HealthService::Tell(WatchCall& watcher) {
  const Status status = StatusOf(watcher.guarded_.message.service());
  if (watcher.writing_ || watcher.reply_.status() == status) return;
  watcher.writing_ = true;
  ++watcher.tags_left_;
  watcher.due_ = environment_->AnswerDue();
  watcher.reply_.set_status(status);
  watcher.stream_.Write(watcher.reply_, &watcher.written_tag_);
}

void HealthService::Listen(grpc::ServerCompletionQueue* queue) {
  OpenCall<HealthCheckRequest, HealthCheckResponse>::Listen(&check_, queue);
  WatchCall::Listen(this, queue);
}

absl::Status HealthService::Check(const HealthCheckRequest& request, HealthCheckResponse* reply) const {
  constexpr size_t kShown = 100;
  base::MutexLock lock(mutex_);
  reply->set_status(StatusOf(request.service()));
  if (reply->status() != HealthCheckResponse::SERVICE_UNKNOWN) return absl::OkStatus();
  return base::Error(
      absl::StatusCode::kNotFound, "SERVICE_UNKNOWN",
      absl::StrCat("this server has no service ", absl::Utf8SafeCEscape(request.service().substr(0, kShown)),
                   ". Ask for \"\", the server, or for one that server reflection lists."));
}

HealthService::Status HealthService::StatusOf(const std::string& service) const {
  const auto found = statuses_.find(service);
  return found == statuses_.end() ? HealthCheckResponse::SERVICE_UNKNOWN : found->second;
}

}  // namespace sightline::server
