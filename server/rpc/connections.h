// How long connections may last, as the operator decides.
#ifndef SIGHTLINE_SERVER_RPC_CONNECTIONS_H_
#define SIGHTLINE_SERVER_RPC_CONNECTIONS_H_

#include "absl/time/time.h"

namespace sightline::server {

struct Connections {
  absl::Duration handshake = absl::Seconds(20);  // until the caller's first settings
  absl::Duration keepalive = absl::Seconds(60);  // without a sign of life before it is asked for one
  absl::Duration age = absl::Minutes(30);
  absl::Duration idle = absl::Minutes(15);  // without calls
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_CONNECTIONS_H_
