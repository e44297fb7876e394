// Schemas of messages in protobuf's JSON form, as OpenAPI 3.0 writes them: int64 as text, bytes as base64, enums as
// names.
//
// Threading: pure functions. Failure: a type of google.protobuf that the API has not used before is refused by name.
#ifndef SIGHTLINE_PROTO_REFERENCE_JSON_SCHEMA_H_
#define SIGHTLINE_PROTO_REFERENCE_JSON_SCHEMA_H_

#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "proto/reference/api.h"

namespace sightline::reference {

using Json = nlohmann::ordered_json;

// {"$ref": "#/components/schemas/NAME"}
Json SchemaReference(const std::string& name);

// Of a field, with its comment.
absl::StatusOr<Json> FieldSchema(const Api& api, const google::protobuf::FieldDescriptor* field);

// Of every message and enum, by name.
absl::StatusOr<Json> ComponentSchemas(const Api& api);

}  // namespace sightline::reference

#endif  // SIGHTLINE_PROTO_REFERENCE_JSON_SCHEMA_H_
