// UnaryCall: one unary RPC on a completion queue, from waiting for a caller to having sent the reply.
//
// The object owns itself: Listen makes one that waits; when a caller has come it makes its successor, reads the
// message, runs the handler, sends what the handler answers and deletes itself when gRPC has handed back its last two
// tags (reply sent, call over). A caller who goes before the message was read is not a request: nobody has looked at
// it.
//
// Threading: tags come on completion-queue threads; a handler may answer from any thread, at once or later, exactly
// once.
#ifndef SIGHTLINE_SERVER_RPC_UNARY_CALL_H_
#define SIGHTLINE_SERVER_RPC_UNARY_CALL_H_

#include <grpcpp/completion_queue.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "server/rpc/async_service.h"
#include "server/rpc/call_environment.h"
#include "server/rpc/collection_of.h"
#include "server/rpc/guarded_message.h"
#include "server/rpc/status_map.h"
#include "server/rpc/tag.h"

namespace sightline::server {

using Done = std::function<void(absl::Status)>;

// What an RPC does. Request and reply live until `done` is called.
template <typename Req, typename Resp>
using UnaryHandler = std::function<void(const RequestPtr&, const Req&, Resp*, Done)>;

// Everything the calls of one method share.
template <typename Req, typename Resp>
struct UnaryMethod {
  AsyncMethod async;
  UnaryHandler<Req, Resp> handler;
  CallMethod call;
  CallEnvironment* environment;
};

template <typename Req, typename Resp>
class UnaryCall {
 public:
  using Method = UnaryMethod<Req, Resp>;

  static void Listen(const Method* method, grpc::ServerCompletionQueue* queue) { new UnaryCall(method, queue); }

 private:
  UnaryCall(const Method* method, grpc::ServerCompletionQueue* queue)
      : method_(*method), queue_(queue), stream_(&context_) {
    context_.AsyncNotifyWhenDone(&over_tag_);
    method_.async.Listen(&context_, &stream_, queue_, &arrive_tag_);
  }

  // The headers have come; the message may come later, or never.
  void Arrive(bool ok) {
    if (!ok) {  // the server shuts down; the over tag never comes for a call that never began
      delete this;
      return;
    }
    method_.environment->CallBegins();
    Listen(&method_, queue_);
    // Refused whatever it says.
    if (method_.environment->draining()) return Handle();
    stream_.Read(&guarded_, &read_tag_);
  }

  void Read(bool ok) {
    due_ = method_.environment->AnswerDue();
    if (ok) return Handle();
    // Only a caller who is still there and has sent no message at all will see this.
    stream_.Finish(ToGrpcStatus(MessageMissing()), &sent_tag_);
  }

  void Handle() {
    request_ = method_.environment->MakeRequest(context_);
    if (gone_) request_->Cancel();
    if (absl::Status refusal = method_.environment->Enter(method_.call, &context_, CollectionOf(guarded_.message),
                                                          guarded_.bytes, request_.get());
        !refusal.ok()) {
      DropMessage();
      stream_.Finish(ToGrpcStatus(refusal), &sent_tag_);
      return;
    }
    if (!guarded_.status.ok()) return Finish(guarded_.status);
    method_.handler(request_, guarded_.message, &reply_, [this](absl::Status status) { Finish(std::move(status)); });
  }

  void Finish(absl::Status status) {
    // An answer that nobody may use any more is not sent as if it were one in time.
    if (status.ok()) status = request_->Check();
    DropMessage();
    method_.environment->Leave(method_.call, *request_, status);
    if (status.ok()) {
      reply_bytes_ = static_cast<int64_t>(reply_.ByteSizeLong());
      method_.environment->HoldReply(reply_bytes_);
      stream_.WriteAndFinish(reply_, grpc::WriteOptions(), grpc::Status::OK, &sent_tag_);
    } else {
      stream_.Finish(ToGrpcStatus(status), &sent_tag_);
    }
  }

  // Its bytes count no more from here on, however long the caller takes for the answer.
  void DropMessage() { Req().Swap(&guarded_.message); }

  void Sent(bool) {
    method_.environment->ReplyTaken(reply_bytes_);
    if (due_) method_.environment->AnswerSent();
    Release();
  }

  void Over(bool) {
    gone_ = context_.IsCancelled();
    if (gone_) {
      method_.environment->GivenUp(context_, request_ == nullptr ? 0 : request_->ElapsedMilliseconds());
      if (request_ != nullptr) request_->Cancel();
    }
    Release();
  }

  void Release() {
    if (--tags_left_ > 0) return;
    CallEnvironment* environment = method_.environment;
    delete this;
    environment->CallEnds();
  }

  const Method& method_;
  grpc::ServerCompletionQueue* const queue_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<Resp, Guarded<Req>> stream_;
  Guarded<Req> guarded_;  // belongs to gRPC until it is read
  Resp reply_;
  RequestPtr request_;
  bool due_ = false;
  bool gone_ = false;  // tags of one call come one after the other
  int64_t reply_bytes_ = 0;
  std::atomic<int> tags_left_ = 2;
  MethodTag<UnaryCall, &UnaryCall::Arrive> arrive_tag_{this};
  MethodTag<UnaryCall, &UnaryCall::Read> read_tag_{this};
  MethodTag<UnaryCall, &UnaryCall::Sent> sent_tag_{this};
  MethodTag<UnaryCall, &UnaryCall::Over> over_tag_{this};
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_UNARY_CALL_H_
