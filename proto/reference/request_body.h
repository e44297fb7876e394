// What a method takes and answers over HTTP, beyond plain JSON: images as multipart files, streams as lines, snapshots
// as raw bytes.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_PROTO_REFERENCE_REQUEST_BODY_H_
#define SIGHTLINE_PROTO_REFERENCE_REQUEST_BODY_H_

#include <string>
#include <vector>

#include "proto/reference/api.h"
#include "proto/reference/json_schema.h"

namespace sightline::reference {

// The paths of a request's bytes fields, as multipart names its files: "query.parts[0].image".
std::vector<std::string> FilePaths(const google::protobuf::Descriptor* request);

// True for a message that is a piece of one long run of bytes: it has a bytes field `data`.
bool IsPieceOfBytes(const google::protobuf::Descriptor* message);

// OpenAPI's requestBody of a binding that has one.
Json RequestBody(const Api& api, const google::protobuf::MethodDescriptor* method);

// OpenAPI's answer 200.
Json SuccessResponse(const Api& api, const google::protobuf::MethodDescriptor* method);

}  // namespace sightline::reference

#endif  // SIGHTLINE_PROTO_REFERENCE_REQUEST_BODY_H_
