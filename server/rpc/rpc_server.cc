#include "server/rpc/rpc_server.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <future>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "server/access_table.h"
#include "server/rpc/open_call.h"
#include "server/rpc/reflection.h"
#include "server/rpc/unknown_call.h"

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
constexpr auto kBetweenResetLooks = std::chrono::milliseconds(10);
constexpr std::clock_t kWorkOfResets = 3 * CLOCKS_PER_SEC / 1000;  // of all threads, before they are looked for again
constexpr absl::Duration kFarewell = absl::Seconds(1);             // for gRPC to notice that the connections have ended

int Milliseconds(absl::Duration duration) { return static_cast<int>(absl::ToInt64Milliseconds(duration)); }

// One caller must not own the server: not its memory, not its threads, not its sockets.
void LimitConnections(const Connections& connections, const Limits& limits, grpc::ServerBuilder* builder) {
  grpc::ResourceQuota quota("sightline");
  quota.Resize(static_cast<size_t>(limits.grpc_memory_bytes));
  quota.SetMaxThreads(kMaxThreads);
  builder->SetResourceQuota(quota);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreams);
  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  builder->AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 1);  // for ResetWatch; nothing of it is served
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
    : options_(std::move(options)),
      environment_(environment),
      health_(AsyncMethodOf("grpc.health.v1.Health/Check"), AsyncMethodOf("grpc.health.v1.Health/Watch"), environment) {
  AddReflection();
}

RpcServer::~RpcServer() { Shutdown(absl::ZeroDuration()); }

AsyncMethod RpcServer::AsyncMethodOf(const std::string& name) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(name, absl::MaxSplits('/', 1));
  std::unique_ptr<AsyncService>& service = services_[parts.first];
  if (service == nullptr) service = std::make_unique<AsyncService>(parts.first);
  return service->Add(parts.second);
}

void RpcServer::AddReflection() {
  using grpc::reflection::v1alpha::ServerReflectionRequest;
  using grpc::reflection::v1alpha::ServerReflectionResponse;
  Listen<OpenCall<ServerReflectionRequest, ServerReflectionResponse>>(
      {AsyncMethodOf("grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),
       [this](const ServerReflectionRequest& request, ServerReflectionResponse* reply) {
         std::vector<std::string> names;
         for (const auto& [name, service] : services_) names.push_back(name);
         AnswerReflection(names, request, reply);
         return absl::OkStatus();
       },
       /*stream=*/true, environment_});
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
  environment_->OnReset([this](const std::string& peer) {
    if (resets_.Reset(peer)) CloseResetting(peer);
  });
  // This server has its own, see HealthService.
  grpc::EnableDefaultHealthCheckService(false);
  grpc::ServerBuilder builder;
  auto connections = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, options_.credentials);
  builder.SetMaxReceiveMessageSize(environment_->limits().max_message_bytes);
  builder.SetMaxSendMessageSize(environment_->limits().max_message_bytes);
  LimitConnections(options_.connections, environment_->limits(), &builder);
  for (const auto& [name, service] : services_) builder.RegisterService(service.get());
  builder.RegisterAsyncGenericService(&unknown_);
  for (int i = 0; i < std::max(1, options_.threads); ++i) queues_.push_back(builder.AddCompletionQueue());
  {
    // Servers of this process one after the other, or the newest may be another one.
    static base::Mutex starting;
    base::MutexLock lock(starting);
    server_ = builder.BuildAndStart();
    if (server_ != nullptr) channelz_ = Channelz::OfNewestServer();
  }
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
    for (int i = 0; i < options_.listeners_per_method; ++i) {
      for (const auto& listen : listeners_) listen(queue.get());
      health_.Listen(queue.get());
      UnknownCall::Listen(&unknown_, environment_, queue.get());
    }
    threads_.emplace_back([this, raw = queue.get()] { Serve(raw); });
  }
  acceptor_->Serve(std::move(connections));
  reset_keeper_ = std::make_unique<Housekeeper>(kBetweenResetLooks, [this] { LookForResets(); });
  return absl::OkStatus();
}

void RpcServer::LookForResets() {
  // Who makes so many calls makes work: a server that has next to none need not ask gRPC a hundred times a second.
  const std::clock_t now = std::clock();
  if (now - cpu_time_ < kWorkOfResets) return;
  cpu_time_ = now;
  const auto connections = [this] { return channelz_->Connections(); };
  for (const std::string& peer : resets_.Look(channelz_->CallsStarted(), environment_->calls_begun(), connections)) {
    CloseResetting(peer);
  }
}

void RpcServer::CloseResetting(const std::string& peer) {
  if (!acceptor_->Close(peer)) return;
  environment_->metrics().CountRejected("resets");
  base::Log(base::Severity::kWarning, "a connection was closed: it opens calls only to reset them", {{"peer", peer}});
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
  health_.SetServing("", serving);
  for (const auto& [name, service] : services_) health_.SetServing(name, serving);
}

void RpcServer::Shutdown(absl::Duration grace) {
  if (server_ == nullptr) return;
  reset_keeper_.reset();
  SetServing(false);
  const absl::Time deadline = absl::Now() + grace;
  environment_->Drain(base::Clock::Real().Steady() + absl::ToChronoNanoseconds(grace));
  acceptor_->Stop();
  // gRPC 1.51 answers a call that comes while it shuts down with a bare CANCELLED, or never. A connection that has
  // ended is UNAVAILABLE to its callers, as they were told before.
  acceptor_->Disconnect(deadline);
  server_->Shutdown(absl::ToChronoTime(std::min(deadline, absl::Now() + kFarewell)));
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
