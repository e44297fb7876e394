// JsonCall: one unary call by HTTP, from the first byte of its body to its answer.
//
// Threading: as HttpCall; between End and TakeReply the call belongs to the gateway's pool and to the thread of its
// completion queue. Ownership: the listener's and, while gRPC has it, its own; borrows the gateway.
#ifndef SIGHTLINE_SERVER_HTTP_JSON_CALL_H_
#define SIGHTLINE_SERVER_HTTP_JSON_CALL_H_

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <memory>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "server/http/byte_budget.h"
#include "server/http/call_headers.h"
#include "server/http/gateway.h"
#include "server/http/http_call.h"
#include "server/http/multipart.h"
#include "server/http/routes.h"
#include "server/rpc/tag.h"

namespace sightline::server {

absl::Status BodyTooLarge(int64_t limit, int64_t actual);
absl::Status BodiesFull(const ByteBudget& budget);

class JsonCall final : public HttpCall, public std::enable_shared_from_this<JsonCall> {
 public:
  // `form` null: the body is JSON. `length`: of the body, 0 where it is not known. `known`: an ETag the caller has.
  JsonCall(Gateway& gateway, RouteMatch match, std::string query, CallHeaders headers, std::unique_ptr<Multipart> form,
           int64_t length, absl::string_view known, Waker wake);
  ~JsonCall() override;

  Taken Take(absl::string_view piece) override;
  void End() override;
  std::optional<HttpReply> TakeReply() override;
  void Gone() override;

 private:
  void Convert();
  absl::Status StartCall();
  void Answered(bool ok);
  void Render();
  HttpReply Rendered();
  HttpReply RenderedImage(const google::protobuf::Message& message);
  void Finish(HttpReply reply);

  Gateway& gateway_;
  const RouteMatch match_;
  const std::string query_;
  const CallHeaders headers_;
  const std::string known_;
  const Waker wake_;
  std::unique_ptr<Multipart> form_;
  RequestBody body_;
  int64_t received_ = 0;
  absl::Status refused_;
  int refused_code_ = 0;
  std::shared_ptr<ByteBudget::Share> share_;

  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader_;
  grpc::ByteBuffer response_;
  grpc::Status status_;
  std::shared_ptr<JsonCall> self_;  // while gRPC has the tag
  MethodTag<JsonCall, &JsonCall::Answered> answered_tag_{this};

  base::Mutex mutex_;
  std::optional<HttpReply> reply_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_JSON_CALL_H_
