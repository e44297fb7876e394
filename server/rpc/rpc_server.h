// RpcServer: a gRPC server on completion queues, one thread each. One thread is the fastest choice on small machines:
// a second one costs more in hand-overs than it brings.
//
// Threading: Start and Shutdown from one thread; handlers run on the completion-queue threads and must not block them:
// what takes longer than a few hundred microseconds goes to a pool and answers from there. Ownership: what handlers use
// outlives the object. Failure: Start says which address cannot be bound.
//
//   RpcServer server(options, environment);
//   server.AddUnary("SearchService/Search", [](const RequestPtr&, const v1::SearchRequest&, ...) {...});
//   SIGHTLINE_RETURN_IF_ERROR(server.Start());
#ifndef SIGHTLINE_SERVER_RPC_RPC_SERVER_H_
#define SIGHTLINE_SERVER_RPC_RPC_SERVER_H_

#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "server/housekeeper.h"
#include "server/rpc/acceptor.h"
#include "server/rpc/async_service.h"
#include "server/rpc/channelz.h"
#include "server/rpc/connections.h"
#include "server/rpc/download_call.h"
#include "server/rpc/health_service.h"
#include "server/rpc/reset_watch.h"
#include "server/rpc/stream_call.h"
#include "server/rpc/unary_call.h"
#include "server/rpc/upload_call.h"

namespace sightline::server {

class RpcServer {
 public:
  struct Options {
    std::string address = "127.0.0.1:50051";  // host:port; port 0 picks a free one
    std::string setting = "listen";           // the flag that gave the address, for the error
    int threads = 1;
    Connections connections = {};
    ConnectionTable::Limits connection_limits = {};
    std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
    // Requests of one method that can arrive before the first is looked at.
    int listeners_per_method = 8;
  };

  RpcServer(Options options, CallEnvironment* environment);
  ~RpcServer();
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  // `name`: "SearchService/Search". `handler` is a UnaryHandler<Req, Resp> whose types say what the method takes and
  // answers.
  template <typename Handler>
  void AddUnary(const std::string& name, Handler handler) {
    AddUnary(UnaryTypes(&Handler::operator()), name, std::move(handler));
  }

  // `handler` likewise a StreamHandler<Req, Resp>.
  template <typename Handler, typename Refuse>
  void AddStream(const std::string& name, Handler handler, Refuse refuse) {
    AddStream(StreamTypes(&Handler::operator()), name, std::move(handler), std::move(refuse));
  }

  // A server stream; `Source` as DownloadCall wants it.
  template <typename Req, typename Resp, typename Source>
  void AddDownload(const std::string& name, base::ThreadPool* pool,
                   std::type_identity_t<std::function<absl::StatusOr<std::unique_ptr<Source>>(const Req&)>> open) {
    Listen<DownloadCall<Req, Resp, Source>>(
        {AsyncMethodOf(kApi + name), std::move(open), pool, Describe(name), environment_});
  }

  // A client stream; `Sink` as UploadCall wants it.
  template <typename Req, typename Resp, typename Sink>
  void AddUpload(const std::string& name, base::ThreadPool* pool,
                 std::type_identity_t<std::function<absl::StatusOr<std::unique_ptr<Sink>>()>> open) {
    Listen<UploadCall<Req, Resp, Sink>>(
        {AsyncMethodOf(kApi + name), std::move(open), pool, Describe(name), environment_});
  }

  absl::Status Start();

  // For callers inside of the process, after Start: what they call is served as if it came from the address.
  std::shared_ptr<grpc::Channel> InProcessChannel();

  // The port bound, after Start.
  int port() const { return acceptor_ == nullptr ? 0 : acceptor_->port(); }
  // Connections that are open now.
  int connections() const { return acceptor_ == nullptr ? 0 : acceptor_->connections(); }

  // Tells health watchers, of "" and of each service.
  void SetServing(bool serving);

  // Refuses what is new, lets what is in hand end within `grace`, cancels the rest, and returns when nothing is left.
  void Shutdown(absl::Duration grace);

 private:
  template <typename Req, typename Resp>
  struct Types {};
  template <typename Lambda, typename Req, typename Resp>
  static Types<Req, Resp> UnaryTypes(void (Lambda::*)(const RequestPtr&, const Req&, Resp*, Done) const) {
    return {};
  }
  template <typename Lambda, typename Req, typename Resp>
  static Types<Req, Resp> StreamTypes(void (Lambda::*)(const RequestPtr&, const Req&,
                                                       std::function<void(Resp, const absl::Status&)>) const) {
    return {};
  }
  template <typename Req, typename Resp>
  void AddUnary(Types<Req, Resp>, const std::string& name, std::type_identity_t<UnaryHandler<Req, Resp>> handler) {
    Listen<UnaryCall<Req, Resp>>({AsyncMethodOf(kApi + name), std::move(handler), Describe(name), environment_});
  }
  template <typename Req, typename Resp>
  void AddStream(Types<Req, Resp>, const std::string& name, std::type_identity_t<StreamHandler<Req, Resp>> handler,
                 std::type_identity_t<std::function<Resp(const Req&, const absl::Status&)>> refuse) {
    Listen<StreamCall<Req, Resp>>(
        {AsyncMethodOf(kApi + name), std::move(handler), std::move(refuse), Describe(name), environment_});
  }
  template <typename Call>
  void Listen(typename Call::Method described) {
    auto method = std::make_shared<typename Call::Method>(std::move(described));
    listeners_.push_back([method](grpc::ServerCompletionQueue* queue) { Call::Listen(method.get(), queue); });
  }

  static inline const std::string kApi = "sightline.v1.";

  // Of the full name, "sightline.v1.SearchService/Search".
  AsyncMethod AsyncMethodOf(const std::string& name);
  void AddReflection();
  CallMethod Describe(const std::string& name);
  void Serve(grpc::ServerCompletionQueue* queue);
  void LookForResets();
  void CloseResetting(const std::string& peer);

  const Options options_;
  CallEnvironment* const environment_;
  std::map<std::string, std::unique_ptr<AsyncService>> services_;  // by their full names
  grpc::AsyncGenericService unknown_;                              // what is in none of them
  HealthService health_;
  std::vector<std::function<void(grpc::ServerCompletionQueue*)>> listeners_;
  std::string undescribed_;  // a method that the access table has no row for
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues_;
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::thread> threads_;
  std::unique_ptr<Acceptor> acceptor_;
  std::optional<Channelz> channelz_;
  ResetWatch resets_{base::Clock::Real()};
  std::clock_t cpu_time_ = 0;  // of the process, when resets were looked for last
  std::unique_ptr<Housekeeper> reset_keeper_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_RPC_SERVER_H_
