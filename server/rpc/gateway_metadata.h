// What the HTTP gateway says about its callers, as metadata of the calls it makes for them. Anybody else who said it
// could pass for another caller, so it is believed only beside a secret that never leaves the process. (How gRPC names
// the other end of a channel inside of the process is not documented, and "unknown" may be others too.)
//
// Threading: any thread. Failure: a process that gets no random bytes ends.
#ifndef SIGHTLINE_SERVER_RPC_GATEWAY_METADATA_H_
#define SIGHTLINE_SERVER_RPC_GATEWAY_METADATA_H_

#include <string>

#include "absl/strings/string_view.h"

namespace sightline::server {

inline constexpr char kGatewaySecret[] = "sightline-http-secret";
inline constexpr char kGatewayPeer[] = "sightline-http-peer";                    // "ipv4:127.0.0.1:54321"
inline constexpr char kGatewayCertificate[] = "sightline-http-certificate-bin";  // common name, any bytes

// Made at random, once for the process.
const std::string& GatewaySecret();

// Compares in a time that tells nothing.
bool IsGatewaySecret(absl::string_view text);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_GATEWAY_METADATA_H_
