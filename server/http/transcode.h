// Between HTTP and the messages of the API: protobuf's JSON mapping, with field names in lowerCamelCase (the names of
// the proto are read too), enums by name, 64-bit numbers as text, bytes as base64. What is 0, false, or empty is
// written all the same, so that a reader need not know what is missing; messages that are not set are left out.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT that names the field; JSON is at most 100 levels deep, and
// has at most 500,000 values.
#ifndef SIGHTLINE_SERVER_HTTP_TRANSCODE_H_
#define SIGHTLINE_SERVER_HTTP_TRANSCODE_H_

#include <google/protobuf/message.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/http/routes.h"

namespace sightline::server {

// What of a request's body is not the path or the query.
struct RequestBody {
  std::string json;                                         // empty: nothing
  std::vector<std::pair<std::string, std::string>> fields;  // path of a field of type bytes -> its value
};

std::unique_ptr<google::protobuf::Message> NewMessage(const google::protobuf::Descriptor* type);

// The request of the method that `match` leads to. Parameters are read where there is no body for the fields.
absl::StatusOr<std::unique_ptr<google::protobuf::Message>> ToMessage(const RouteMatch& match, absl::string_view query,
                                                                     RequestBody body, bool parameters);

absl::Status ParseJson(absl::string_view json, google::protobuf::Message* message);
absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_TRANSCODE_H_
