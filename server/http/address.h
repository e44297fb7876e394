// host:port, and the other side of a connection.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT.
#ifndef SIGHTLINE_SERVER_HTTP_ADDRESS_H_
#define SIGHTLINE_SERVER_HTTP_ADDRESS_H_

#include <sys/socket.h>

#include <string>

#include "absl/status/statusor.h"

namespace sightline::server {

struct HostPort {
  std::string host;  // without the brackets of an IPv6 address
  int port = 0;
};

// "127.0.0.1:8080", "[::1]:8080", "localhost:0".
absl::StatusOr<HostPort> ParseHostPort(const std::string& address);

// The other side of a connection as gRPC writes it: "ipv4:127.0.0.1:54321", "ipv6:%5B::1%5D:54321"; "unknown" for other
// kinds and for null.
std::string PeerName(const sockaddr* address);

// Whether only programs on this machine can reach the host.
bool IsLoopback(const std::string& host);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_ADDRESS_H_
