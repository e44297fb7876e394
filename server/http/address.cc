#include "server/http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>

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

std::string PeerName(const sockaddr* address) {
  if (address == nullptr) return "unknown";
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
    return absl::StrCat("ipv4:", text.data(), ":", ntohs(v4->sin_port));
  }
  if (address->sa_family != AF_INET6) return "unknown";
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
  const int port = ntohs(v6->sin6_port);
  if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
    inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, text.data(), text.size());
    return absl::StrCat("ipv4:", text.data(), ":", port);
  }
  inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
  return absl::StrCat("ipv6:%5B", text.data(), "%5D:", port);
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
