// Fields of a message by their names, such as `page_size`, `query.parts[0].image` or `query.parts[0].crops[1].x`: what
// parameters of an address, parts of a form and variables of a path are. Names are those of the proto or of its JSON.
//
// Threading: as the message. Failure: INVALID_ARGUMENT that names the field; a field that was set before is not set
// again.
#ifndef SIGHTLINE_SERVER_HTTP_FIELD_PATH_H_
#define SIGHTLINE_SERVER_HTTP_FIELD_PATH_H_

#include <google/protobuf/message.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sightline::server {

// Sets a number, a text, an enum (by name or number), bytes (base64), a duration or a time as its JSON has it; adds to
// a list.
absl::Status SetFieldFromText(absl::string_view path, absl::string_view text, google::protobuf::Message* message);

// Sets a field of type bytes as it is. An index behind the last one of a list adds to the list.
absl::Status SetBytesField(absl::string_view path, std::string bytes, google::protobuf::Message* message);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_FIELD_PATH_H_
