// The one place where internal errors become gRPC errors.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_SERVER_RPC_STATUS_MAP_H_
#define SIGHTLINE_SERVER_RPC_STATUS_MAP_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"

namespace sightline::server {

// The ErrorInfo domain of every error this server sends.
inline constexpr char kErrorDomain[] = "sightline.dev";

// Code, message, and ErrorInfo (and RetryInfo, where the error says when to try again) as details.
google::rpc::Status ToRpcStatus(const absl::Status& status);

// The same as a grpc::Status, details serialised.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_STATUS_MAP_H_
