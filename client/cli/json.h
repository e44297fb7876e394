// JSON out: an object written field by field, and any message of the API.
//
// A message becomes an object with the field names of its .proto. Every field is there, also with its default, except
// unset messages, unset `optional` fields and unset alternatives of a oneof. 64-bit numbers are numbers; enums are
// their names; bytes are base64; a Timestamp is RFC 3339 text, a Duration a number of seconds; NaN and infinities are
// null. Text that is not UTF-8 has its broken bytes replaced by U+FFFD, so that the output is always valid JSON.
//
// Threading: values. Failure: none.
//
//   JsonObject().Text("event", "item").Int("attempts", 2).Done();  // {"event":"item","attempts":2}
#ifndef SIGHTLINE_CLIENT_CLI_JSON_H_
#define SIGHTLINE_CLIENT_CLI_JSON_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace sightline::cli {

std::string JsonText(absl::string_view text);
std::string JsonNumber(double value);
// The shortest decimal that reads back as the same float.
std::string JsonNumber(float value);
std::string JsonMessage(const google::protobuf::Message& message);
std::string JsonArray(const std::vector<std::string>& values);

class JsonObject {
 public:
  JsonObject& Text(absl::string_view name, absl::string_view value) { return Raw(name, JsonText(value)); }
  JsonObject& Int(absl::string_view name, int64_t value);
  JsonObject& Number(absl::string_view name, double value) { return Raw(name, JsonNumber(value)); }
  JsonObject& Bool(absl::string_view name, bool value) { return Raw(name, value ? "true" : "false"); }
  // `json` is JSON already.
  JsonObject& Raw(absl::string_view name, absl::string_view json);
  std::string Done() const { return fields_ + "}"; }

 private:
  std::string fields_ = "{";
};

// {"code":"NOT_FOUND","reason":"COLLECTION_NOT_FOUND","message":"...","facts":{...}} with "retry_after_ms" where the
// server gave a delay.
std::string JsonError(const absl::Status& status);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_JSON_H_
