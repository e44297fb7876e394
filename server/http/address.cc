#include "server/http/address.h"

#include <arpa/inet.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::server {

absl::StatusOr<HostPort> ParseHostPort(const std::string& address) {
  const size_t colon = address.rfind(':');
  HostPort out;
  if (colon != std::string::npos && colon > 0 && absl::SimpleAtoi(address.substr(colon + 1), &out.port) &&
      out.port >= 0 && out.port <= 65535) {
    out.host = address.substr(0, colon);
    const bool bracketed = out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']';
    if (bracketed) out.host = out.host.substr(1, out.host.size() - 2);
    if (bracketed || out.host.find(':') == std::string::npos) return out;
  }
  return base::InvalidArgument(
      "ADDRESS_INVALID", absl::StrCat("'", address, "' is not host:port. Write it like 127.0.0.1:8080 or [::1]:8080."),
      {{"actual", address}});
}

bool IsLoopback(const std::string& host) {
  if (host == "localhost") return true;
  // A name such as 127.example.org is somebody's machine, and ::1 has several spellings.
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace sightline::server
