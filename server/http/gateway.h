// Gateway: the API as JSON over HTTP. It is a client of this process's own gRPC server, over a channel inside of the
// process, so that keys, rates, limits, metrics, the audit log and the logs of calls are those of gRPC.
//
// Threading: as HttpHandler; Connect, Disconnect and Drain from any thread. Bodies are parsed and answers written on a
// pool of the gateway's own; one thread takes what gRPC answers. Ownership: owns both; the listener must end before the
// gateway. Failure: Make says which method cannot be reached by HTTP; before Connect and after Disconnect every call is
// answered UNAVAILABLE.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(auto gateway, Gateway::Make(options));
//   ... HttpServer::Start(..., gateway.get()) ...
//   gateway->Connect(rpc_server.InProcessChannel());
#ifndef SIGHTLINE_SERVER_HTTP_GATEWAY_H_
#define SIGHTLINE_SERVER_HTTP_GATEWAY_H_

#include <grpcpp/channel.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <memory>
#include <string>
#include <thread>
#include <variant>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "base/thread_pool.h"
#include "server/http/byte_budget.h"
#include "server/http/http_call.h"
#include "server/http/routes.h"
#include "server/limits.h"

namespace sightline::server {

class Gateway final : public HttpHandler {
 public:
  static absl::StatusOr<std::unique_ptr<Gateway>> Make(const Limits& limits);
  ~Gateway() override;

  // From now on calls are made.
  void Connect(std::shared_ptr<grpc::Channel> channel);

  std::variant<HttpReply, std::shared_ptr<HttpCall>> Begin(const HttpHead& head, Waker wake) override;

  // From now on no call begins. Before the server behind the channel ends: gRPC 1.51 crashes where a call begins inside
  // of the process on a server that has ended.
  void Disconnect();

  // Waits until no call is in hand and every answer is sent, at most `most`.
  void Drain(absl::Duration most);

  // For calls.
  grpc::CompletionQueue* queue() { return &queue_; }
  base::ThreadPool& pool() { return pool_; }
  ByteBudget& budget() { return budget_; }
  const Limits& limits() const { return limits_; }
  int64_t max_body_bytes() const { return max_body_bytes_; }
  // Whether calls can be made; if not, why.
  absl::Status Ready() const;
  // Runs `prepare`, which makes a call of the stub but does not start it, unless there is no server for it.
  absl::Status Prepare(absl::FunctionRef<void(grpc::GenericStub&)> prepare);
  void CallBegins();
  void CallEnds();

 private:
  Gateway(const Limits& limits, Routes routes);
  absl::Status NotReady() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Limits& limits_;
  const Routes routes_;
  const int64_t max_body_bytes_;
  ByteBudget budget_;
  mutable base::Mutex mutex_;
  base::CondVar none_left_;
  std::unique_ptr<grpc::GenericStub> stub_ ABSL_GUARDED_BY(mutex_);  // null before Connect and after Disconnect
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
  grpc::CompletionQueue queue_;
  std::thread queue_thread_;
  base::ThreadPool pool_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_GATEWAY_H_
