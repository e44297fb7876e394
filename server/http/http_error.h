// Errors as the JSON of the HTTP port shows them, and which HTTP status stands for which gRPC code.
//
//   {"error": {"code": 404, "status": "NOT_FOUND", "message": "...", "details": [{"@type": ".../google.rpc.ErrorInfo",
//              "reason": "COLLECTION_NOT_FOUND", "domain": "sightline.dev", "metadata": {...}}]}}
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_SERVER_HTTP_HTTP_ERROR_H_
#define SIGHTLINE_SERVER_HTTP_HTTP_ERROR_H_

#include <string>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"
#include "server/http/http_reply.h"

namespace sightline::server {

int HttpCode(absl::StatusCode code);

// `code` 0: as HttpCode says.
std::string ErrorJson(const google::rpc::Status& status, int code = 0);

// With Retry-After where the error says when to try again.
HttpReply ErrorReply(const google::rpc::Status& status, int code = 0);
HttpReply ErrorReply(const absl::Status& status, int code = 0);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_HTTP_ERROR_H_
