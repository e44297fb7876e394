// The HTTP status that a gRPC code travels as.
//
// Threading: pure functions. Failure: none; an unknown name gives 500.
#ifndef SIGHTLINE_PROTO_REFERENCE_HTTP_STATUS_H_
#define SIGHTLINE_PROTO_REFERENCE_HTTP_STATUS_H_

#include <utility>

#include "absl/strings/string_view.h"

namespace sightline::reference {

// The mapping that google/rpc/code.proto documents.
inline constexpr std::pair<absl::string_view, int> kHttpStatuses[] = {
    {"CANCELLED", 499},
    {"UNKNOWN", 500},
    {"INVALID_ARGUMENT", 400},
    {"DEADLINE_EXCEEDED", 504},
    {"NOT_FOUND", 404},
    {"ALREADY_EXISTS", 409},
    {"PERMISSION_DENIED", 403},
    {"RESOURCE_EXHAUSTED", 429},
    {"FAILED_PRECONDITION", 400},
    {"ABORTED", 409},
    {"OUT_OF_RANGE", 400},
    {"UNIMPLEMENTED", 501},
    {"INTERNAL", 500},
    {"UNAVAILABLE", 503},
    {"DATA_LOSS", 500},
    {"UNAUTHENTICATED", 401},
};

constexpr int HttpStatus(absl::string_view code) {
  for (const auto& [name, status] : kHttpStatuses) {
    if (name == code) return status;
  }
  return 500;
}

}  // namespace sightline::reference

#endif  // SIGHTLINE_PROTO_REFERENCE_HTTP_STATUS_H_
