// OpenCall: a call of what every gRPC server tells anybody, without a key, while it starts and while it ends: whether
// it serves, and what.
//
// Threading: tags of one call come one after the other, on a completion-queue thread; the answer is made there, so it
// must be quick. Ownership: the object owns itself.
#ifndef SIGHTLINE_SERVER_RPC_OPEN_CALL_H_
#define SIGHTLINE_SERVER_RPC_OPEN_CALL_H_

#include <grpcpp/completion_queue.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>

#include <functional>

#include "absl/status/status.h"
#include "server/rpc/async_service.h"
#include "server/rpc/call_environment.h"
#include "server/rpc/guarded_message.h"
#include "server/rpc/status_map.h"
#include "server/rpc/tag.h"

namespace sightline::server {

template <typename Req, typename Resp>
struct OpenMethod {
  AsyncMethod async;
  std::function<absl::Status(const Req&, Resp*)> answer;
  bool stream;  // answers message after message; otherwise the only one
  CallEnvironment* environment;
};

template <typename Req, typename Resp>
class OpenCall {
 public:
  using Method = OpenMethod<Req, Resp>;

  static void Listen(const Method* method, grpc::ServerCompletionQueue* queue) { new OpenCall(method, queue); }

 private:
  OpenCall(const Method* method, grpc::ServerCompletionQueue* queue)
      : method_(*method), queue_(queue), stream_(&context_) {
    context_.AsyncNotifyWhenDone(&over_tag_);
    method_.async.Listen(&context_, &stream_, queue_, &arrive_tag_);
  }

  void Arrive(bool ok) {
    if (!ok) {  // the server shuts down; the over tag never comes for a call that never began
      delete this;
      return;
    }
    method_.environment->CallBegins();
    Listen(&method_, queue_);
    stream_.Read(&guarded_, &read_tag_);
  }

  void Read(bool ok) {
    if (!ok) {
      stream_.Finish(method_.stream ? grpc::Status::OK : ToGrpcStatus(MessageMissing()), &finished_tag_);
      return;
    }
    answered_ = true;
    reply_.Clear();
    absl::Status status = guarded_.status;
    if (status.ok()) status = method_.answer(guarded_.message, &reply_);
    if (!status.ok()) {
      stream_.Finish(ToGrpcStatus(status), &finished_tag_);
    } else if (method_.stream) {
      stream_.Write(reply_, &written_tag_);
    } else {
      stream_.WriteAndFinish(reply_, grpc::WriteOptions(), grpc::Status::OK, &finished_tag_);
    }
  }

  void Written(bool ok) {
    if (ok) {
      stream_.Read(&guarded_, &read_tag_);
    } else {
      stream_.Finish(grpc::Status::CANCELLED, &finished_tag_);
    }
  }

  void Finished(bool) { Release(); }

  void Over(bool) {
    if (context_.IsCancelled() && !answered_) method_.environment->GivenUp(context_, 0);
    Release();
  }

  void Release() {
    if (--tags_left_ > 0) return;
    CallEnvironment* const environment = method_.environment;
    delete this;
    environment->CallEnds();
  }

  const Method& method_;
  grpc::ServerCompletionQueue* const queue_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<Resp, Guarded<Req>> stream_;
  Guarded<Req> guarded_;
  Resp reply_;
  bool answered_ = false;
  int tags_left_ = 2;  // finished, and over
  MethodTag<OpenCall, &OpenCall::Arrive> arrive_tag_{this};
  MethodTag<OpenCall, &OpenCall::Read> read_tag_{this};
  MethodTag<OpenCall, &OpenCall::Written> written_tag_{this};
  MethodTag<OpenCall, &OpenCall::Finished> finished_tag_{this};
  MethodTag<OpenCall, &OpenCall::Over> over_tag_{this};
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_OPEN_CALL_H_
