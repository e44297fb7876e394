#include "server/security/address_warnings.h"

#include "absl/strings/str_cat.h"
#include "server/http/address.h"

namespace sightline::server {
namespace {

bool IsOpenToOthers(const std::string& address) {
  const absl::StatusOr<HostPort> target = ParseHostPort(address);
  return target.ok() && !IsLoopback(target->host);
}

}  // namespace

std::vector<std::string> AddressWarnings(const Listening& listening) {
  std::vector<std::string> warnings;
  const bool admin_moved = !listening.admin_grpc.empty();
  for (const std::string* address : {&listening.grpc, &listening.admin_grpc, &listening.http}) {
    if (address->empty() || !IsOpenToOthers(*address)) continue;
    const bool main = address != &listening.admin_grpc;
    const char* deeds = main && admin_moved ? "search, read, write and delete images" : "read, write and delete";
    const std::string begin = absl::StrCat("listening on ", *address);
    if (!listening.tls && !listening.keys) {
      warnings.push_back(absl::StrCat(begin, " without TLS and without keys: everyone who reaches it can ", deeds,
                                      ". Set --api_keys and --tls_cert, put a proxy that authenticates before it, or "
                                      "listen on 127.0.0.1."));
    } else if (!listening.tls) {
      warnings.push_back(
          absl::StrCat(begin,
                       " with keys and without TLS: whoever can read the network's traffic sees keys and "
                       "images. Set --tls_cert and --tls_key, or put a proxy with TLS before it."));
    } else if (!listening.keys && !listening.client_certificates) {
      warnings.push_back(absl::StrCat(begin, " with TLS and without keys: everyone who reaches it can ", deeds,
                                      ". Set --api_keys, or --tls_client_ca to demand certificates of clients."));
    }
  }
  if (!listening.admin_http.empty() && IsOpenToOthers(listening.admin_http)) {
    warnings.push_back(absl::StrCat("listening on ", listening.admin_http,
                                    " for /metrics and /statusz, without TLS and without keys: everyone who reaches it "
                                    "sees the names of collections and models, and how much is asked. Let only the "
                                    "monitoring reach it."));
  }
  return warnings;
}

}  // namespace sightline::server
