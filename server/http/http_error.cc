#include "server/http/http_error.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "google/rpc/error_details.pb.h"
#include "server/code_names.h"
#include "server/rpc/status_map.h"

namespace sightline::server {

int HttpCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk: return 200;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange: return 400;
    case absl::StatusCode::kUnauthenticated: return 401;
    case absl::StatusCode::kPermissionDenied: return 403;
    case absl::StatusCode::kNotFound: return 404;
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kAlreadyExists: return 409;
    case absl::StatusCode::kResourceExhausted: return 429;
    case absl::StatusCode::kCancelled: return 499;
    case absl::StatusCode::kUnimplemented: return 501;
    case absl::StatusCode::kUnavailable: return 503;
    case absl::StatusCode::kDeadlineExceeded: return 504;
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kDataLoss: return 500;
    default: return 500;  // the enum of abseil is open
  }
}

std::string ErrorJson(const google::rpc::Status& status, int code) {
  const auto canonical = static_cast<absl::StatusCode>(status.code());
  std::string details;
  for (const google::protobuf::Any& detail : status.details()) {
    std::string json;
    if (!google::protobuf::util::MessageToJsonString(detail, &json).ok()) continue;
    absl::StrAppend(&details, details.empty() ? "" : ",", json);
  }
  return absl::StrCat("{\"error\":{\"code\":", code == 0 ? HttpCode(canonical) : code, ",\"status\":\"",
                      CodeName(canonical), "\",\"message\":", base::JsonQuote(status.message()), ",\"details\":[",
                      details, "]}}");
}

HttpReply ErrorReply(const google::rpc::Status& status, int code) {
  HttpReply reply{.code = code == 0 ? HttpCode(static_cast<absl::StatusCode>(status.code())) : code,
                  .content_type = "application/json",
                  .body = absl::StrCat(ErrorJson(status, code), "\n")};
  for (const google::protobuf::Any& detail : status.details()) {
    google::rpc::RetryInfo retry;
    if (!detail.Is<google::rpc::RetryInfo>() || !detail.UnpackTo(&retry)) continue;
    // Whole seconds, and never at once.
    const int64_t seconds = retry.retry_delay().seconds() + (retry.retry_delay().nanos() > 0 ? 1 : 0);
    reply.headers.emplace_back("Retry-After", absl::StrCat(std::max<int64_t>(1, seconds)));
  }
  if (reply.code == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  return reply;
}

HttpReply ErrorReply(const absl::Status& status, int code) { return ErrorReply(ToRpcStatus(status), code); }

}  // namespace sightline::server
