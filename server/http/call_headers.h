// What of a request's headers goes along with a call, and what of a call's metadata comes back as headers.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT for a header that gRPC would not carry or that is given twice.
#ifndef SIGHTLINE_SERVER_HTTP_CALL_HEADERS_H_
#define SIGHTLINE_SERVER_HTTP_CALL_HEADERS_H_

#include <grpcpp/client_context.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/http/http_call.h"

namespace sightline::server {

struct CallHeaders {
  std::vector<std::pair<std::string, std::string>> metadata;
  absl::Duration timeout = absl::InfiniteDuration();  // none: the server's own default
};

// Authorization, X-Request-Id, traceparent and tracestate, who calls, and Grpc-Timeout ("250m" is 250 milliseconds).
absl::StatusOr<CallHeaders> ReadCallHeaders(const HttpHead& head);

void SetUp(const CallHeaders& headers, grpc::ClientContext* context);

// The server's answers to them: X-Request-Id and traceparent.
std::vector<std::pair<std::string, std::string>> AnsweredHeaders(const grpc::ClientContext& context);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_CALL_HEADERS_H_
