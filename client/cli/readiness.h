// Asks a server whether it takes requests, by its HTTP address: GET /readyz, as health checks of containers do. It
// needs neither certificates nor keys, and no gRPC connection.
//
// Threading: a pure function of the network. Ownership: nothing is kept. Failure: the status says what came instead.
//
//   const absl::Status ready = AskReady("127.0.0.1:8080", absl::Seconds(4));
#ifndef SIGHTLINE_CLIENT_CLI_READINESS_H_
#define SIGHTLINE_CLIENT_CLI_READINESS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace sightline::cli {

// OK: it is ready. UNAVAILABLE: it is not, or it is not there. DEADLINE_EXCEEDED: it does not answer within `timeout`.
absl::Status AskReady(const std::string& address, absl::Duration timeout);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_READINESS_H_
