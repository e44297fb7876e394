#include "server/http/site.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/http/http_error.h"

namespace sightline::server {
namespace {

bool IsProbe(absl::string_view path) { return path == "/healthz" || path == "/readyz"; }

// Two readers of one request must not see two requests: what is read in more than one way is not read at all.
absl::Status CheckFraming(const HttpHead& head) {
  const auto refuse = [](absl::string_view what) {
    return base::InvalidArgument("REQUEST_MALFORMED", absl::StrCat("the request ", what, " Correct it."));
  };
  const absl::string_view encoding = head.Header("transfer-encoding");
  if (!encoding.empty() && !absl::EqualsIgnoreCase(encoding, "chunked")) {
    return refuse("has a Transfer-Encoding that is not plain `chunked`.");
  }
  if (head.Count("transfer-encoding") + head.Count("content-length") > 1) {
    return refuse("says more than once how long its body is.");
  }
  if (head.Count("host") > 1) return refuse("has more than one Host.");
  for (const auto& [name, value] : head.headers) {
    const bool odd = std::any_of(value.begin(), value.end(), [](char c) {
      const auto u = static_cast<unsigned char>(c);
      return (u < 0x20 && u != '\t') || u == 0x7F;
    });
    if (odd || name.empty() || name.find_first_of(" \t") != std::string::npos) {
      return refuse("has a header with characters that no header may have.");
    }
  }
  if (!absl::StartsWith(head.path, "/")) return refuse("has an address that does not begin with a slash.");
  return absl::OkStatus();
}

}  // namespace

HttpReply Site::Preflight() const {
  return {.code = 204,
          .content_type = "",
          .headers = {{"Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE"},
                      {"Access-Control-Allow-Headers",
                       "Authorization, Content-Type, Grpc-Timeout, If-None-Match, X-Request-Id, X-Requested-With, "
                       "traceparent, tracestate"},
                      {"Access-Control-Max-Age", "600"}}};
}

std::variant<HttpReply, std::shared_ptr<HttpCall>> Site::Begin(const HttpHead& head, Waker wake) {
  if (const absl::Status status = CheckFraming(head); !status.ok()) {
    HttpReply reply = ErrorReply(status);
    reply.headers.emplace_back("Connection", "close");
    return reply;
  }
  // Probes call by whatever name they have, and learn nothing. Metrics and status name collections.
  if (IsProbe(head.path)) return pages_.Begin(head, std::move(wake));
  if (const absl::Status status = policy_.CheckHost(head); !status.ok()) return ErrorReply(status);
  if (const absl::Status status = policy_.CheckOrigin(head); !status.ok()) return ErrorReply(status);
  const bool ours = !policy_.AllowedOrigin(head).empty();
  if (head.method == "OPTIONS" && ours) return Preflight();
  if (files_ != nullptr) {
    if (std::optional<HttpReply> file = files_->Find(head); file.has_value()) return *std::move(file);
  }
  const bool api = absl::StartsWith(head.path, "/v1/") || absl::StartsWith(head.path, "/v1:");
  if (api_ == nullptr || !api) return pages_.Begin(head, std::move(wake));
  if (head.method != "GET" && head.method != "HEAD") {
    if (const absl::Status status = policy_.CheckWrite(head); !status.ok()) return ErrorReply(status, 415);
  }
  return api_->Begin(head, std::move(wake));
}

void Site::Complete(const HttpHead& head, HttpReply* reply) {
  if (policy_.allowed_origins.empty()) return;
  reply->headers.emplace_back("Vary", "Origin");
  const std::string origin = policy_.AllowedOrigin(head);
  if (origin.empty()) return;
  reply->headers.emplace_back("Access-Control-Allow-Origin", origin);
  reply->headers.emplace_back("Access-Control-Expose-Headers", "ETag, Retry-After, traceparent, x-request-id");
  // Pictures say same-origin otherwise.
  for (auto& [name, value] : reply->headers) {
    if (name == "Cross-Origin-Resource-Policy") value = "cross-origin";
  }
}

}  // namespace sightline::server
