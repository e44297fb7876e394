// HealthService: grpc.health.v1.Health, by which load balancers ask whether a server serves, and wait to be told.
//
// gRPC has one of its own, but reads connections for it on threads of its own: faster than completion queues deal with
// what was read, so that an attacker's calls pile up in memory.
//
// Threading: Listen before calls come; the rest from any thread. Ownership: outlives the calls.
//
//   HealthService health(check, watch, environment);
//   health.SetServing("sightline.v1.SearchService", true);
//   health.Listen(queue);  // one call of each method
#ifndef SIGHTLINE_SERVER_RPC_HEALTH_SERVICE_H_
#define SIGHTLINE_SERVER_RPC_HEALTH_SERVICE_H_

#include <grpcpp/completion_queue.h>

#include <map>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "grpc/health/v1/health.pb.h"
#include "server/rpc/async_service.h"
#include "server/rpc/call_environment.h"
#include "server/rpc/open_call.h"

namespace sightline::server {

class HealthService {
 public:
  HealthService(AsyncMethod check, AsyncMethod watch, CallEnvironment* environment);
  ~HealthService();
  HealthService(const HealthService&) = delete;
  HealthService& operator=(const HealthService&) = delete;

  // `service`: its full name, or "" for the server. Watchers are told.
  void SetServing(const std::string& service, bool serving);

  void Listen(grpc::ServerCompletionQueue* queue);

 private:
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;
  class WatchCall;

  absl::Status Check(const grpc::health::v1::HealthCheckRequest& request,
                     grpc::health::v1::HealthCheckResponse* reply) const;
  // Sends the status unless the caller has it; while one is on its way, the last of those that follow is sent behind
  // it.
  void Tell(WatchCall& watcher) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Status StatusOf(const std::string& service) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const OpenMethod<grpc::health::v1::HealthCheckRequest, grpc::health::v1::HealthCheckResponse> check_;
  const AsyncMethod watch_;
  CallEnvironment* const environment_;
  mutable base::Mutex mutex_;
  std::map<std::string, Status> statuses_ ABSL_GUARDED_BY(mutex_);
  std::set<WatchCall*> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_HEALTH_SERVICE_H_
