#include "client/cpp/connection.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace sightline::client {
namespace {

absl::Status WrongAddress(absl::string_view address, absl::string_view problem) {
  return base::InvalidArgument(
      "INVALID_ADDRESS",
      absl::StrCat("the address \"", address, "\" ", problem, ". Write it as host:port, such as 127.0.0.1:50051."),
      {{"field", "address"}, {"actual", std::string(address)}});
}

absl::Status CheckAddress(absl::string_view address) {
  // gRPC's other ways to name a server.
  for (absl::string_view scheme : {"unix:", "unix-abstract:", "dns:", "ipv4:", "ipv6:", "vsock:"}) {
    if (absl::StartsWith(address, scheme)) return absl::OkStatus();
  }
  if (absl::StrContains(address, "://")) return WrongAddress(address, "is a URL");
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return WrongAddress(address, "has no port");
  const absl::string_view host = address.substr(0, colon);
  if (host.empty()) return WrongAddress(address, "has no host");
  const bool bracketed = absl::StartsWith(host, "[") && absl::EndsWith(host, "]");
  if (!bracketed && absl::StrContains(host, ':')) {
    return WrongAddress(address, "is IPv6 without brackets, which are needed before a port: [::1]:50051");
  }
  if (std::any_of(host.begin(), host.end(), [](char c) { return absl::ascii_isspace(c) || absl::ascii_iscntrl(c); })) {
    return WrongAddress(address, "has a space in its host");
  }
  int port = 0;
  if (!absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 1 || port > 65535) {
    return WrongAddress(address, "has no port of 1 to 65535");
  }
  return absl::OkStatus();
}

absl::Status CheckPem(absl::string_view text, absl::string_view name) {
  if (text.empty() || absl::StrContains(text, "-----BEGIN ")) return absl::OkStatus();
  return base::InvalidArgument(
      "TLS_INVALID",
      absl::StrCat(name,
                   " is no PEM: it has no line that begins with -----BEGIN. Give the file as the authority wrote it."),
      {{"field", std::string(name)}});
}

}  // namespace

absl::Status CheckConnection(const Client::Options& options) {
  SIGHTLINE_RETURN_IF_ERROR(CheckAddress(options.address));
  SIGHTLINE_RETURN_IF_ERROR(CheckPem(options.tls_ca, "tls_ca"));
  SIGHTLINE_RETURN_IF_ERROR(CheckPem(options.tls_certificate, "tls_cert"));
  SIGHTLINE_RETURN_IF_ERROR(CheckPem(options.tls_key, "tls_key"));
  if (options.tls_certificate.empty() != options.tls_key.empty()) {
    return base::InvalidArgument("TLS_PAIR_INCOMPLETE",
                                 "a client certificate and its key belong together, and one is missing. Give both, or "
                                 "none.");
  }
  if (!options.tls_certificate.empty() && options.tls_ca.empty()) {
    return base::InvalidArgument("TLS_CA_MISSING",
                                 "a client certificate is given and no authority to check the server by. Give the "
                                 "certificates of who signs servers', too.");
  }
  // gRPC ends the process on metadata that cannot travel in a header.
  if (!std::all_of(options.api_key.begin(), options.api_key.end(),
                   [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); })) {
    return base::InvalidArgument("KEY_INVALID",
                                 "the API key holds a space, a line break or another byte that no key has. Copy it "
                                 "as it was printed.");
  }
  return absl::OkStatus();
}

bool IsLoopback(absl::string_view address) {
  for (absl::string_view prefix : {"127.", "localhost:", "[::1]", "unix:"}) {
    if (absl::StartsWith(address, prefix)) return true;
  }
  return false;
}

}  // namespace sightline::client
