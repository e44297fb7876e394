// UnknownCall: a call of a method that this server does not have. It is told so.
//
// Threading: tags come on a completion-queue thread. Ownership: the object owns itself.
#ifndef SIGHTLINE_SERVER_RPC_UNKNOWN_CALL_H_
#define SIGHTLINE_SERVER_RPC_UNKNOWN_CALL_H_

#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/async_generic_service.h>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/rpc/call_environment.h"
#include "server/rpc/status_map.h"
#include "server/rpc/tag.h"

namespace sightline::server {

class UnknownCall {
 public:
  static void Listen(grpc::AsyncGenericService* service, CallEnvironment* environment,
                     grpc::ServerCompletionQueue* queue) {
    new UnknownCall(service, environment, queue);
  }

 private:
  UnknownCall(grpc::AsyncGenericService* service, CallEnvironment* environment, grpc::ServerCompletionQueue* queue)
      : service_(*service), environment_(*environment), queue_(queue), stream_(&context_) {
    context_.AsyncNotifyWhenDone(&over_tag_);
    service_.RequestCall(&context_, &stream_, queue_, queue_, &arrive_tag_);
  }

  void Arrive(bool ok) {
    if (!ok) {  // the server shuts down; the over tag never comes for a call that never began
      delete this;
      return;
    }
    constexpr size_t kShown = 100;
    environment_.CallBegins();
    Listen(&service_, &environment_, queue_);
    stream_.Finish(
        ToGrpcStatus(base::Error(
            absl::StatusCode::kUnimplemented, "METHOD_UNKNOWN",
            absl::StrCat("this server has no method ", absl::Utf8SafeCEscape(context_.method().substr(0, kShown)),
                         ". Check its name, and whether the server is older than the client."))),
        &finished_tag_);
  }

  void Finished(bool) { Release(); }

  void Over(bool) {
    if (context_.IsCancelled()) environment_.GivenUp(context_, 0);
    Release();
  }

  void Release() {
    if (--tags_left_ > 0) return;
    CallEnvironment& environment = environment_;
    delete this;
    environment.CallEnds();
  }

  grpc::AsyncGenericService& service_;
  CallEnvironment& environment_;
  grpc::ServerCompletionQueue* const queue_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_;
  int tags_left_ = 2;  // finished, and over
  MethodTag<UnknownCall, &UnknownCall::Arrive> arrive_tag_{this};
  MethodTag<UnknownCall, &UnknownCall::Finished> finished_tag_{this};
  MethodTag<UnknownCall, &UnknownCall::Over> over_tag_{this};
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_UNKNOWN_CALL_H_
