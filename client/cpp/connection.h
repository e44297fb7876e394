// What a connection is made with, checked before the first call: gRPC takes anything, and fails much later with words
// that nobody can use.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT with a sentence.
#ifndef SIGHTLINE_CLIENT_CPP_CONNECTION_H_
#define SIGHTLINE_CLIENT_CPP_CONNECTION_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/cpp/client.h"

namespace sightline::client {

// Address, certificates and key.
absl::Status CheckConnection(const Client::Options& options);

// Whether the address is on this machine, where no proxy leads to.
bool IsLoopback(absl::string_view address);

}  // namespace sightline::client

#endif  // SIGHTLINE_CLIENT_CPP_CONNECTION_H_
