// The OpenAPI 3.0.3 document of the JSON side of the API: every HTTP binding, every message, every code.
//
// Threading: pure function. Failure: what the document cannot express is refused with the method's name.
#ifndef SIGHTLINE_PROTO_REFERENCE_OPENAPI_H_
#define SIGHTLINE_PROTO_REFERENCE_OPENAPI_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/reference/api.h"
#include "proto/reference/json_schema.h"

namespace sightline::reference {

absl::StatusOr<Json> OpenApiDocument(const Api& api, absl::string_view version);

}  // namespace sightline::reference

#endif  // SIGHTLINE_PROTO_REFERENCE_OPENAPI_H_
