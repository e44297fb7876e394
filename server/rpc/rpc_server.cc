#include "server/rpc/rpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "server/access_table.h"

namespace sightline::server {
namespace {

// Fires on a completion queue behind everything that is queued there already.
class Barrier final : public Tag {
 public:
  explicit Barrier(grpc::ServerCompletionQueue* queue) { alarm_.Set(queue, gpr_now(GPR_CLOCK_MONOTONIC), this); }
  void Proceed(bool) override { passed_.set_value(); }
  void Wait() { passed_.get_future().wait(); }

 private:
  std::promise<void> passed_;
  grpc::Alarm alarm_;
};

constexpr int kMaxStreams = 128;  // of one connection, at once
constexpr int kMaxThreads = 16;   // that gRPC may start
constexpr int kMaxMetadataBytes = 16 << 10;
constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(20);
constexpr absl::Duration kAgeGrace = absl::Minutes(5);  // for calls under way when a connection has reached its age
constexpr absl::Duration kMinPingInterval = absl::Seconds(30);
constexpr int kPingStrikes = 2;

int Milliseconds(absl::Duration duration) { return static_cast<int>(absl::ToInt64Milliseconds(duration)); }

// One caller must not own the server: not its memory, not its threads, not its sockets.
void LimitConnections(const Connections& connections, const Limits& limits, grpc::ServerBuilder* builder) {
  grpc::ResourceQuota quota("sightline");
  quota.Resize(static_cast<size_t>(limits.grpc_memory_bytes));
  quota.SetMaxThreads(kMaxThreads);
  builder->SetResourceQuota(quota);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreams);
  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  builder->AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Milliseconds(connections.handshake));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(connections.keepalive));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                              Milliseconds(std::min(kKeepaliveTimeout, connections.keepalive)));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, Milliseconds(kMinPingInterval));
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, kPingStrikes);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(connections.age));
  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, Milliseconds(kAgeGrace));
  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, Milliseconds(connections.idle));
}

}  // namespace

RpcServer::RpcServer(Options options, CallEnvironment* environment)
    : options_(std::move(options)), environment_(environment) {}

RpcServer::~RpcServer() { Shutdown(absl::ZeroDuration()); }

AsyncMethod RpcServer::AsyncMethodOf(const std::string& name) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(name, absl::MaxSplits('/', 1));
  std::unique_ptr<AsyncService>& service = services_[parts.first];
  if (service == nullptr) service = std::make_unique<AsyncService>(absl::StrCat("sightline.v1.", parts.first));
  return service->Add(parts.second);
}

CallMethod RpcServer::Describe(const std::string& name) {
  const std::optional<Access> access = AccessOf(name);
  if (!access.has_value()) undescribed_ = name;
  return {.name = name, .access = access.value_or(Access::kAdmin), .metrics = environment_->metrics().AddMethod(name)};
}

absl::Status RpcServer::Start() {
  if (!undescribed_.empty()) {
    return base::Error(absl::StatusCode::kInternal, "METHOD_WITHOUT_ACCESS",
                       absl::StrCat(undescribed_, " has no row in the access table, so nobody knows who may call it. ",
                                    "Report this as a fault."));
  }
  SIGHTLINE_ASSIGN_OR_RETURN(acceptor_, Acceptor::Bind({.address = options_.address,
                                                        .setting = options_.setting,
                                                        .limits = options_.connection_limits,
                                                        .on_refused = [this](absl::string_view reason) {
                                                          environment_->metrics().CountRejected(reason);
                                                        }}));
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  auto connections = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, options_.credentials);
  builder.SetMaxReceiveMessageSize(environment_->limits().max_message_bytes);
  builder.SetMaxSendMessageSize(environment_->limits().max_message_bytes);
  // Health and reflection are the only services of gRPC's own threads: a small, fixed share of the machine.
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, 2);
  LimitConnections(options_.connections, environment_->limits(), &builder);
  for (const auto& [name, service] : services_) builder.RegisterService(service.get());
  for (int i = 0; i < std::max(1, options_.threads); ++i) queues_.push_back(builder.AddCompletionQueue());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) {
    for (auto& queue : queues_) queue->Shutdown();
    queues_.clear();
    return base::Error(absl::StatusCode::kInternal, "GRPC_NOT_STARTED",
                       absl::StrCat("gRPC does not serve ", options_.address,
                                    "; its own lines on standard error say why. Check the certificate and its key."),
                       {{"address", options_.address}});
  }
  SetServing(false);
  for (auto& queue : queues_) {
    for (const auto& listen : listeners_) {
      for (int i = 0; i < options_.listeners_per_method; ++i) listen(queue.get());
    }
    threads_.emplace_back([this, raw = queue.get()] { Serve(raw); });
  }
  acceptor_->Serve(std::move(connections));
  return absl::OkStatus();
}

std::shared_ptr<grpc::Channel> RpcServer::InProcessChannel() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);  // the server has checked what it sends
  arguments.SetMaxSendMessageSize(-1);
  return server_->InProcessChannel(arguments);
}

void RpcServer::Serve(grpc::ServerCompletionQueue* queue) {
  pthread_setname_np(pthread_self(), "grpc-queue");
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) static_cast<Tag*>(tag)->Proceed(ok);
}

void RpcServer::SetServing(bool serving) {
  if (server_ == nullptr || server_->GetHealthCheckService() == nullptr) return;
  grpc::HealthCheckServiceInterface& health = *server_->GetHealthCheckService();
  health.SetServingStatus(serving);
  for (const auto& [name, service] : services_) health.SetServingStatus(service->full_name(), serving);
}

void RpcServer::Shutdown(absl::Duration grace) {
  if (server_ == nullptr) return;
  SetServing(false);
  const absl::Time deadline = absl::Now() + grace;
  environment_->Drain(base::Clock::Real().Steady() + absl::ToChronoNanoseconds(grace));
  acceptor_->Stop();
  server_->Shutdown(absl::ToChronoTime(deadline));
  // Calls that arrived before the shutdown may still wait on a queue to be looked at.
  std::vector<std::unique_ptr<Barrier>> barriers;  // live until the threads that fire them have ended
  for (auto& queue : queues_) barriers.push_back(std::make_unique<Barrier>(queue.get()));
  for (auto& barrier : barriers) barrier->Wait();
  environment_->WaitForCalls();
  for (auto& queue : queues_) queue->Shutdown();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  queues_.clear();
  server_.reset();
}

}  // namespace sightline::server
