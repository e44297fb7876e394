// RpcStatus: what a call of the API came back with, as an absl::Status whose message, reason, facts and retry delay are
// the server's (base::GetErrorInfo reads them), or this library's words where the call never reached a server.
//
// Threading: pure functions. Failure: none; details that cannot be read are left out.
#ifndef SIGHTLINE_CLIENT_CPP_RPC_STATUS_H_
#define SIGHTLINE_CLIENT_CPP_RPC_STATUS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "google/rpc/status.pb.h"

namespace sightline::client {

// Where and how a call was made, for the words of an error that no server wrote.
struct CallSite {
  std::string address;
  absl::Duration deadline;
};

// An item's status in a stream, or a decoded `grpc-status-details-bin`. Code 0 is OK.
absl::Status FromRpcStatus(const google::rpc::Status& status);

// The status of a whole call: gRPC's code and message, and the bytes of `grpc-status-details-bin` ("" for none).
absl::Status FromCall(int code, const std::string& message, const std::string& details, const CallSite& site);

}  // namespace sightline::client

#endif  // SIGHTLINE_CLIENT_CPP_RPC_STATUS_H_
