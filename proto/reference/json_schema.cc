#include "proto/reference/json_schema.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace sightline::reference {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

namespace {

// Google's protobuf accepts either sign and fractions to nanoseconds.
constexpr char kDurationPattern[] = R"(^-?[0-9]+(\.[0-9]{1,9})?s$)";

Json Typed(const char* type, const char* format) { return Json{{"type", type}, {"format", format}}; }

Json WholeNumberText(const char* format, const char* pattern) {
  return Json{{"type", "string"}, {"format", format}, {"pattern", pattern}};
}

absl::StatusOr<Json> WellKnownSchema(const Descriptor* message) {
  const std::string& name = message->name();
  if (name == "Timestamp") return Typed("string", "date-time");
  if (name == "Duration") return Json{{"type", "string"}, {"pattern", kDurationPattern}, {"example", "1.5s"}};
  if (name == "FieldMask") {
    return Json{{"type", "string"}, {"format", "field-mask"}, {"example", "description,keepImage"}};
  }
  if (name == "Any") {
    return Json{{"type", "object"},
                {"properties", {{"@type", {{"type", "string"}}}}},
                {"required", {"@type"}},
                {"additionalProperties", true}};
  }
  return absl::UnimplementedError(
      absl::StrCat("The JSON form of google.protobuf.", name, " is not described. Add it to json_schema.cc."));
}

absl::StatusOr<Json> ValueSchema(const Api& api, const FieldDescriptor* field) {
  switch (field->type()) {
    case FieldDescriptor::TYPE_DOUBLE: return Typed("number", "double");
    case FieldDescriptor::TYPE_FLOAT: return Typed("number", "float");
    case FieldDescriptor::TYPE_INT64:
    case FieldDescriptor::TYPE_SINT64:
    case FieldDescriptor::TYPE_SFIXED64: return WholeNumberText("int64", "^-?[0-9]+$");
    case FieldDescriptor::TYPE_UINT64:
    case FieldDescriptor::TYPE_FIXED64: return WholeNumberText("uint64", "^[0-9]+$");
    case FieldDescriptor::TYPE_INT32:
    case FieldDescriptor::TYPE_SINT32:
    case FieldDescriptor::TYPE_SFIXED32: return Typed("integer", "int32");
    case FieldDescriptor::TYPE_UINT32:
    case FieldDescriptor::TYPE_FIXED32: return Json{{"type", "integer"}, {"format", "int64"}, {"minimum", 0}};
    case FieldDescriptor::TYPE_BOOL: return Json{{"type", "boolean"}};
    case FieldDescriptor::TYPE_STRING: return Json{{"type", "string"}};
    case FieldDescriptor::TYPE_BYTES: return Typed("string", "byte");
    case FieldDescriptor::TYPE_ENUM: return SchemaReference(api.Name(field->enum_type()));
    case FieldDescriptor::TYPE_GROUP:
    case FieldDescriptor::TYPE_MESSAGE: break;
  }
  if (IsWellKnown(field->message_type())) return WellKnownSchema(field->message_type());
  return SchemaReference(api.Name(field->message_type()));
}

Json EnumSchema(const EnumDescriptor* type) {
  std::string description = CommentOf(type).Text();
  Json names = Json::array();
  for (int i = 0; i < type->value_count(); ++i) {
    names.push_back(type->value(i)->name());
    absl::StrAppend(&description, i == 0 ? "\n\n" : "\n", "* `", type->value(i)->name(),
                    "`: ", CommentOf(type->value(i)).Text());
  }
  return Json{{"type", "string"}, {"description", description}, {"enum", names}};
}

// At most one field of a oneof may be set: no two of them together. Those that `optional` makes come after the real
// ones.
void AddOneofs(const Descriptor* message, std::string& description, Json& schema) {
  Json pairs = Json::array();
  for (int i = 0; i < message->real_oneof_decl_count(); ++i) {
    const auto* oneof = message->oneof_decl(i);
    absl::StrAppend(&description, "\n\nAt most one of these is set:");
    for (int a = 0; a < oneof->field_count(); ++a) {
      absl::StrAppend(&description, a == 0 ? " `" : ", `", oneof->field(a)->json_name(), "`");
      for (int b = a + 1; b < oneof->field_count(); ++b) {
        pairs.push_back(Json{{"required", Json::array({oneof->field(a)->json_name(), oneof->field(b)->json_name()})}});
      }
    }
    description += '.';
  }
  if (!pairs.empty()) schema["not"] = {{"anyOf", pairs}};
}

absl::StatusOr<Json> MessageSchema(const Api& api, const Descriptor* message) {
  Json properties = Json::object(), schema{{"type", "object"}};
  for (int i = 0; i < message->field_count(); ++i) {
    auto field = FieldSchema(api, message->field(i));
    if (!field.ok()) return field.status();
    properties[message->field(i)->json_name()] = *std::move(field);
  }
  std::string description = CommentOf(message).Text();
  AddOneofs(message, description, schema);
  schema["description"] = description;
  schema["properties"] = std::move(properties);
  return schema;
}

}  // namespace

Json SchemaReference(const std::string& name) { return Json{{"$ref", "#/components/schemas/" + name}}; }

absl::StatusOr<Json> FieldSchema(const Api& api, const FieldDescriptor* field) {
  auto value = ValueSchema(api, field->is_map() ? field->message_type()->map_value() : field);
  if (!value.ok()) return value.status();
  Json schema = *std::move(value);
  if (field->is_map()) {
    schema = {{"type", "object"}, {"additionalProperties", std::move(schema)}};
  } else if (field->is_repeated()) {
    schema = {{"type", "array"}, {"items", std::move(schema)}};
  }
  // Beside a $ref nothing else counts, so the comment stands around it.
  if (schema.contains("$ref")) schema = {{"allOf", Json::array({std::move(schema)})}};
  schema["description"] = CommentOf(field).Text();
  return schema;
}

absl::StatusOr<Json> ComponentSchemas(const Api& api) {
  Json schemas = Json::object();
  for (const Descriptor* message : api.messages()) {
    auto schema = MessageSchema(api, message);
    if (!schema.ok()) return schema.status();
    schemas[api.Name(message)] = *std::move(schema);
  }
  for (const EnumDescriptor* type : api.enums()) schemas[api.Name(type)] = EnumSchema(type);
  return schemas;
}

}  // namespace sightline::reference
