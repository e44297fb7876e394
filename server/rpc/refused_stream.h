// RefusedStream: a one-directional streaming RPC that this version answers with one status and nothing else.
//
// Threading and ownership: as UnaryCall.
#ifndef SIGHTLINE_SERVER_RPC_REFUSED_STREAM_H_
#define SIGHTLINE_SERVER_RPC_REFUSED_STREAM_H_

#include <grpcpp/completion_queue.h>
#include <grpcpp/server_context.h>

#include "absl/status/status.h"
#include "server/rpc/call_environment.h"
#include "server/rpc/status_map.h"
#include "server/rpc/tag.h"

namespace sightline::server {

// A Starter has types `Stream`, constructible from a ServerContext*, and `Message`, which gRPC may fill;
// `Start(context, message, stream, queue, tag)` that asks gRPC for a call; and `Finish(stream, status, tag)`.
template <typename Starter>
struct RefusedMethod {
  Starter starter;
  absl::Status status;
  Metrics::Method* metrics;
  CallEnvironment* environment;
};

template <typename Starter>
class RefusedStream {
 public:
  static void Listen(RefusedMethod<Starter>* method, grpc::ServerCompletionQueue* queue) {
    new RefusedStream(method, queue);
  }

 private:
  RefusedStream(RefusedMethod<Starter>* method, grpc::ServerCompletionQueue* queue)
      : method_(*method), queue_(queue), stream_(&context_) {
    method_.starter.Start(&context_, &message_, &stream_, queue_, &arrive_tag_);
  }

  void Arrive(bool ok) {
    if (!ok) {
      delete this;
      return;
    }
    method_.environment->CallBegins();
    Listen(&method_, queue_);
    const RequestPtr request = method_.environment->MakeRequest(context_);
    absl::Status status = method_.environment->Enter(method_.metrics);
    if (status.ok()) {
      status = method_.status;
      method_.environment->Leave(method_.metrics, *request, status.code());
    }
    method_.starter.Finish(&stream_, ToGrpcStatus(status), &sent_tag_);
  }

  void Sent(bool) {
    CallEnvironment* environment = method_.environment;
    delete this;
    environment->CallEnds();
  }

  RefusedMethod<Starter>& method_;
  grpc::ServerCompletionQueue* const queue_;
  grpc::ServerContext context_;
  typename Starter::Message message_;
  typename Starter::Stream stream_;
  MethodTag<RefusedStream, &RefusedStream::Arrive> arrive_tag_{this};
  MethodTag<RefusedStream, &RefusedStream::Sent> sent_tag_{this};
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_REFUSED_STREAM_H_
