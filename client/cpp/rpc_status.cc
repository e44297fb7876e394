#include "client/cpp/rpc_status.h"

#include <map>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "google/rpc/error_details.pb.h"

namespace sightline::client {
namespace {

absl::StatusCode CodeOf(int code) {
  return code >= 1 && code <= 16 ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kUnknown;
}

absl::Status Make(absl::StatusCode code, absl::string_view message, const base::ErrorInfo& info) {
  if (info.retry_after) return base::RetryableError(code, info.reason, message, *info.retry_after, info.facts);
  return base::Error(code, info.reason, message, info.facts);
}

base::ErrorInfo ReadDetails(const google::rpc::Status& status) {
  base::ErrorInfo info;
  for (const auto& detail : status.details()) {
    google::rpc::ErrorInfo error;
    google::rpc::RetryInfo retry;
    if (detail.Is<google::rpc::ErrorInfo>() && detail.UnpackTo(&error)) {
      info.reason = error.reason();
      // A protobuf map has no order; sorted facts print alike every time.
      const std::map<std::string, std::string> facts(error.metadata().begin(), error.metadata().end());
      info.facts.assign(facts.begin(), facts.end());
    } else if (detail.Is<google::rpc::RetryInfo>() && detail.UnpackTo(&retry)) {
      info.retry_after = absl::Seconds(retry.retry_delay().seconds()) + absl::Nanoseconds(retry.retry_delay().nanos());
    }
  }
  return info;
}

// The end of "failed to connect to all addresses; last error: UNKNOWN: ipv4:...: Connection refused" and of "DNS
// resolution failed for ...: ...: Domain name not found": what the system said. Other messages as they are.
absl::string_view SystemWords(const std::string& message) {
  const size_t colon = message.rfind(": ");
  const bool has_end = absl::StartsWith(message, "failed to connect") || absl::StartsWith(message, "DNS resolution");
  if (!has_end || colon == std::string::npos) return message;
  return absl::string_view(message).substr(colon + 2);
}

// What to do about a server that cannot be reached, by what the system said.
absl::string_view NextStep(absl::string_view words) {
  if (absl::StrContains(words, "http1") || absl::StrContains(words, "HTTP/1")) {
    return "That is an HTTP address. Give the one of gRPC, which is --listen of the server and by default port 50051.";
  }
  if (absl::StartsWith(words, "Peer name")) {
    return "Give the name that the server's certificate is for, or the server a certificate for this one.";
  }
  if (absl::StrContains(words, "SSL") || absl::StrContains(words, "certificate")) {
    return "Give the certificates of who signed the server's (tls_ca), or none where the server is without TLS.";
  }
  if (absl::StrContains(words, "Socket closed") || absl::StrContains(words, "reset")) {
    return "It was stopped, or wants TLS or a client certificate (tls_ca, tls_cert): look at how it was started.";
  }
  if (absl::StartsWith(words, "Domain name")) return "Check the name of the host.";
  return "Start sightline-server, or give the address it listens on.";
}

// Errors that gRPC itself makes carry no details and speak of sockets and frames; say what they mean here.
absl::Status WithoutDetails(absl::StatusCode code, const std::string& message, const CallSite& site) {
  switch (code) {
    case absl::StatusCode::kUnavailable:
      return base::Error(code, "SERVER_UNREACHABLE",
                         absl::StrCat("no server answers at ", site.address, " (", SystemWords(message), "). ",
                                      NextStep(SystemWords(message))),
                         {{"address", site.address}});
    case absl::StatusCode::kCancelled:
      // This library cancels no call that it still waits for: a server that shuts down dropped it.
      return base::Error(
          absl::StatusCode::kUnavailable, "CALL_DROPPED",
          absl::StrCat("the server at ", site.address, " dropped the call, as it does when it shuts down. Try again."),
          {{"address", site.address}});
    case absl::StatusCode::kDeadlineExceeded:
      return base::Error(code, "DEADLINE_EXCEEDED",
                         absl::StrCat("no answer from ", site.address, " within ", absl::FormatDuration(site.deadline),
                                      ". Allow more time, or ask for less."),
                         {{"address", site.address}, {"deadline", absl::FormatDuration(site.deadline)}});
    case absl::StatusCode::kResourceExhausted:
      if (absl::StrContains(message, "larger than max")) {
        return base::Error(code, "MESSAGE_TOO_LARGE",
                           absl::StrCat("the message is beyond a limit: ", message,
                                        ". Send or ask for less, or raise max_message_bytes on both sides."));
      }
      break;
    case absl::StatusCode::kUnimplemented:
      return base::Error(code, "UNIMPLEMENTED",
                         absl::StrCat("the server at ", site.address, " does not offer this call (", message,
                                      "). Check that the address is that of a Sightline server as new as this client."),
                         {{"address", site.address}});
    default: break;
  }
  return base::Error(code, "UNKNOWN", message);
}

}  // namespace

absl::Status FromRpcStatus(const google::rpc::Status& status) {
  if (status.code() == 0) return absl::OkStatus();
  base::ErrorInfo info = ReadDetails(status);
  if (info.reason.empty()) info.reason = "UNKNOWN";
  return Make(CodeOf(status.code()), status.message(), info);
}

absl::Status FromCall(int code, const std::string& message, const std::string& details, const CallSite& site) {
  if (code == 0) return absl::OkStatus();
  google::rpc::Status status;
  if (details.empty() || !status.ParseFromString(details)) return WithoutDetails(CodeOf(code), message, site);
  base::ErrorInfo info = ReadDetails(status);
  if (info.reason.empty()) info.reason = "UNKNOWN";
  return Make(CodeOf(code), message, info);
}

}  // namespace sightline::client
