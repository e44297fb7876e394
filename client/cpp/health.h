// CheckHealthOf: grpc.health.v1.Health/Check. Debian packages no header for that service, and its two messages have one
// field each, so they are written and read here by hand.
#ifndef SIGHTLINE_CLIENT_CPP_HEALTH_H_
#define SIGHTLINE_CLIENT_CPP_HEALTH_H_

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/cpp/client.h"
#include "client/cpp/rpc_status.h"

namespace sightline::client {

absl::StatusOr<Health> CheckHealthOf(const std::shared_ptr<grpc::Channel>& channel, const std::string& service,
                                     const CallSite& site);

}  // namespace sightline::client

#endif  // SIGHTLINE_CLIENT_CPP_HEALTH_H_
