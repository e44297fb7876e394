#include "client/cli/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "client/cli/text.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace sightline::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

template <typename T>
std::string Shortest(T value) {
  if (!std::isfinite(value)) return "null";
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, end.ptr);
}

// One value of a field; `index` is -1 for a field that is not repeated.
std::string FieldValue(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& r = *message.GetReflection();
  const bool many = index >= 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(many ? r.GetRepeatedInt32(message, &field, index) : r.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(many ? r.GetRepeatedInt64(message, &field, index) : r.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(many ? r.GetRepeatedUInt32(message, &field, index) : r.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(many ? r.GetRepeatedUInt64(message, &field, index) : r.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return JsonNumber(many ? r.GetRepeatedDouble(message, &field, index) : r.GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return JsonNumber(many ? r.GetRepeatedFloat(message, &field, index) : r.GetFloat(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return (many ? r.GetRepeatedBool(message, &field, index) : r.GetBool(message, &field)) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_ENUM: {
      const auto* value = many ? r.GetRepeatedEnum(message, &field, index) : r.GetEnum(message, &field);
      return JsonText({value->name().data(), value->name().size()});
    }
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text = many ? r.GetRepeatedString(message, &field, index) : r.GetString(message, &field);
      return JsonText(field.type() == FieldDescriptor::TYPE_BYTES ? absl::Base64Escape(text) : text);
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return JsonMessage(many ? r.GetRepeatedMessage(message, &field, index) : r.GetMessage(message, &field));
  }
  return "null";
}

// Keys of our maps are text; sorted, so that equal messages print alike.
std::string MapField(const Message& message, const FieldDescriptor& field) {
  const Reflection& r = *message.GetReflection();
  std::vector<std::pair<std::string, std::string>> entries;
  for (int i = 0; i < r.FieldSize(message, &field); ++i) {
    const Message& entry = r.GetRepeatedMessage(message, &field, i);
    const auto* key = entry.GetDescriptor()->map_key();
    entries.emplace_back(entry.GetReflection()->GetString(entry, key),
                         FieldValue(entry, *entry.GetDescriptor()->map_value(), -1));
  }
  std::sort(entries.begin(), entries.end());
  JsonObject object;
  for (const auto& [key, value] : entries) object.Raw(key, value);
  return object.Done();
}

// What an operation produced: the fields of the message, behind its type. A type of a later version is told by name
// only.
std::string JsonAny(const google::protobuf::Any& any) {
  JsonObject object;
  object.Text("@type", any.type_url());
  const std::string name = any.type_url().substr(any.type_url().rfind('/') + 1);
  const auto* type = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  if (type == nullptr) return object.Done();
  const std::unique_ptr<Message> message(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
  if (message->ParseFromString(any.value())) object.Raw("value", JsonMessage(*message));
  return object.Done();
}

}  // namespace

std::string JsonText(absl::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    size_t good = 0;
    while (good < text.size() && static_cast<unsigned char>(text[good]) >= 0x20 && text[good] != '"' &&
           text[good] != '\\' && static_cast<unsigned char>(text[good]) < 0x7F) {
      ++good;
    }
    absl::StrAppend(&out, text.substr(0, good));
    text.remove_prefix(good);
    if (text.empty()) break;
    const auto byte = static_cast<unsigned char>(text[0]);
    size_t used = 1;
    if (byte == '"' || byte == '\\') {
      absl::StrAppend(&out, "\\", text.substr(0, 1));
    } else if (byte < 0x80) {
      absl::StrAppendFormat(&out, "\\u%04x", byte);
    } else {
      used = 2;
      while (used <= 4 && used <= text.size() && !IsUtf8(text.substr(0, used))) ++used;
      const bool whole = used <= 4 && used <= text.size();
      absl::StrAppend(&out, whole ? text.substr(0, used) : "\uFFFD");
      if (!whole) used = 1;
    }
    text.remove_prefix(used);
  }
  return out + "\"";
}

std::string JsonNumber(double value) { return Shortest(value); }
std::string JsonNumber(float value) { return Shortest(value); }

std::string JsonArray(const std::vector<std::string>& values) {
  return absl::StrCat("[", absl::StrJoin(values, ","), "]");
}

JsonObject& JsonObject::Int(absl::string_view name, int64_t value) { return Raw(name, absl::StrCat(value)); }

JsonObject& JsonObject::Raw(absl::string_view name, absl::string_view json) {
  absl::StrAppend(&fields_, fields_.size() > 1 ? "," : "", JsonText(name), ":", json);
  return *this;
}

std::string JsonMessage(const Message& message) {
  if (const auto* time = dynamic_cast<const google::protobuf::Timestamp*>(&message)) {
    const absl::Time at = absl::FromUnixSeconds(time->seconds()) + absl::Nanoseconds(time->nanos());
    return JsonText(absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", at, absl::UTCTimeZone()));
  }
  if (const auto* span = dynamic_cast<const google::protobuf::Duration*>(&message)) {
    return JsonNumber(static_cast<double>(span->seconds()) + span->nanos() * 1e-9);
  }
  if (const auto* any = dynamic_cast<const google::protobuf::Any*>(&message)) return JsonAny(*any);
  const auto& descriptor = *message.GetDescriptor();
  const Reflection& reflection = *message.GetReflection();
  JsonObject object;
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor& field = *descriptor.field(i);
    if (field.is_map()) {
      object.Raw(field.name(), MapField(message, field));
    } else if (field.is_repeated()) {
      std::vector<std::string> values;
      for (int n = 0; n < reflection.FieldSize(message, &field); ++n) values.push_back(FieldValue(message, field, n));
      object.Raw(field.name(), JsonArray(values));
    } else if (!field.has_presence() || reflection.HasField(message, &field)) {
      object.Raw(field.name(), FieldValue(message, field, -1));
    }
  }
  return object.Done();
}

std::string JsonError(const absl::Status& status) {
  const base::ErrorInfo info = base::GetErrorInfo(status);
  JsonObject facts;
  for (const auto& [key, value] : info.facts) facts.Text(key, value);
  JsonObject error;
  error.Text("code", absl::StatusCodeToString(status.code()))
      .Text("reason", info.reason)
      .Text("message", status.message())
      .Raw("facts", facts.Done());
  if (info.retry_after) error.Int("retry_after_ms", absl::ToInt64Milliseconds(*info.retry_after));
  return error.Done();
}

}  // namespace sightline::cli
