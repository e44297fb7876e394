#include "proto/reference/openapi.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/reference/http_status.h"
#include "proto/reference/request_body.h"

namespace sightline::reference {

using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;

namespace {

constexpr char kAbout[] =
    "A self-hosted visual search service for instances. Messages are in protobuf's JSON mapping: names in "
    "lowerCamelCase (the proto's own are taken too), 64-bit numbers as text, bytes as base64, enums as names, times as "
    "RFC 3339, durations as seconds with an `s`. A name that a message does not have is refused. The same methods are "
    "served by gRPC.";

Json ErrorContent() { return Json{{"application/json", {{"schema", SchemaReference("Error")}}}}; }

Json ErrorSchema() {
  const Json number{{"type", "integer"}, {"format", "int32"}, {"description", "The HTTP status."}};
  const Json status{{"type", "string"}, {"description", "The gRPC code."}, {"example", "INVALID_ARGUMENT"}};
  const Json message{{"type", "string"},
                     {"description", "One sentence that says what is wrong and one that says what to do."}};
  const Json details{{"type", "array"},
                     {"description",
                      "google.rpc.ErrorInfo with the reason, and google.rpc.RetryInfo where trying again "
                      "helps; `@type` tells which."},
                     {"items",
                      {{"type", "object"},
                       {"properties", {{"@type", {{"type", "string"}}}}},
                       {"required", {"@type"}},
                       {"additionalProperties", true}}}};
  return Json{
      {"type", "object"},
      {"description", "What every error looks like."},
      {"required", {"error"}},
      {"properties",
       {{"error",
         {{"type", "object"},
          {"required", {"code", "status", "message"}},
          {"properties", {{"code", number}, {"status", status}, {"message", message}, {"details", details}}}}}}}};
}

// Answers other than 200, by HTTP status: codes that share one share an entry.
void AddErrors(const std::vector<CodeRow>& codes, Json& responses) {
  std::map<int, std::vector<std::string>> by_status;
  for (const CodeRow& row : codes) {
    by_status[HttpStatus(row.code)].push_back(absl::StrCat(row.code, ": ", row.cause, ". To do: ", row.action, "."));
  }
  for (const auto& [status, lines] : by_status) {
    Json& response = responses[std::to_string(status)];
    response = {{"description", absl::StrJoin(lines, "\n\n")}};
    if (status == 429 || status == 503) {
      response["headers"] = {
          {"Retry-After",
           {{"description", "Whole seconds to wait, where waiting helps."}, {"schema", {{"type", "integer"}}}}}};
    }
    response["content"] = ErrorContent();
  }
  responses["default"] = {{"description", "Any other error."}, {"content", ErrorContent()}};
}

Json PathParameter(const PathField& path_field) {
  std::string description = CommentOf(path_field.field).Text();
  if (!path_field.prefix.empty()) absl::StrAppend(&description, " Here without its `", path_field.prefix, "`.");
  return Json{{"name", path_field.field->name()},
              {"in", "path"},
              {"required", true},
              {"description", description},
              {"schema", {{"type", "string"}}}};
}

bool IsInPath(const Binding& binding, const FieldDescriptor* field) {
  return std::any_of(binding.path_fields.begin(), binding.path_fields.end(),
                     [field](const PathField& path_field) { return path_field.field == field; });
}

absl::StatusOr<Json> QueryParameter(const Api& api, const FieldDescriptor* field) {
  auto schema = FieldSchema(api, field);
  if (!schema.ok()) return schema.status();
  Json description = (*schema)["description"];
  schema->erase("description");
  // The wrapping that a description needed is not needed any more.
  if (schema->contains("allOf")) schema = Json((*schema)["allOf"][0]);
  return Json{{"name", field->json_name()}, {"in", "query"}, {"description", description}, {"schema", *schema}};
}

absl::StatusOr<Json> Parameters(const Api& api, const MethodDescriptor* method, const Binding& binding) {
  Json parameters = Json::array();
  for (const PathField& field : binding.path_fields) parameters.push_back(PathParameter(field));
  const bool raw_body = method->client_streaming() && IsPieceOfBytes(method->input_type());
  for (int i = 0; i < method->input_type()->field_count(); ++i) {
    const FieldDescriptor* field = method->input_type()->field(i);
    if (IsInPath(binding, field)) continue;
    // A body of raw bytes has no room for the words that belong to it.
    if (binding.has_body && !(raw_body && field->type() == FieldDescriptor::TYPE_STRING)) continue;
    if (field->message_type() != nullptr && !IsWellKnown(field->message_type())) {
      return absl::InvalidArgumentError(
          absl::StrCat(method->full_name(), ": ", field->name(),
                       " is a message and would have to be a query parameter. Use a body."));
    }
    auto parameter = QueryParameter(api, field);
    if (!parameter.ok()) return parameter.status();
    parameters.push_back(*std::move(parameter));
  }
  return parameters;
}

absl::StatusOr<Json> Operation(const Api& api, const Service& service, const Method& method, size_t index) {
  const Binding& binding = method.bindings[index];
  auto parameters = Parameters(api, method.descriptor, binding);
  if (!parameters.ok()) return parameters.status();
  std::string id = absl::StrCat(service.descriptor->name(), "_", method.descriptor->name());
  if (index > 0) absl::StrAppend(&id, "_", index + 1);
  Json operation{{"operationId", id},
                 {"tags", {service.descriptor->name()}},
                 {"summary", method.comment.Summary()},
                 {"description", method.comment.Text()}};
  if (!parameters->empty()) operation["parameters"] = *std::move(parameters);
  if (binding.has_body) operation["requestBody"] = RequestBody(api, method.descriptor);
  Json& responses = operation["responses"];
  responses["200"] = SuccessResponse(api, method.descriptor);
  AddErrors(method.comment.codes, responses);
  return operation;
}

// Pictures as themselves, for pages and programs that show them; no method of the proto answers with bare bytes.
Json PictureOperation(const char* id, const char* summary, const std::vector<CodeRow>& codes) {
  const auto parameter = [](const char* name, const char* description) {
    return Json{{"name", name},
                {"in", "path"},
                {"required", true},
                {"description", description},
                {"schema", {{"type", "string"}}}};
  };
  Json operation{{"operationId", id},
                 {"tags", {"IndexService"}},
                 {"summary", summary},
                 {"parameters",
                  {parameter("collection", "The collection's name or alias."),
                   parameter("id", "The image's id; a `/` in it is written %2F.")}}};
  const Json binary{{"schema", {{"type", "string"}, {"format", "binary"}}}};
  Json& responses = operation["responses"];
  responses["200"] = {{"description", "The encoded picture."}, {"content", {{"image/*", binary}}}};
  responses["304"] = {{"description", "The picture is the one that If-None-Match names."}};
  AddErrors(codes, responses);
  return operation;
}

Json DocumentOperation() {
  return Json{{"operationId", "GetOpenApi"},
              {"tags", {"ServerService"}},
              {"summary", "Returns this document"},
              {"responses",
               {{"200",
                 {{"description", "This document."},
                  {"content", {{"application/json", {{"schema", {{"type", "object"}}}}}}}}}}}};
}

}  // namespace

absl::StatusOr<Json> OpenApiDocument(const Api& api, absl::string_view version) {
  Json tags = Json::array(), paths = Json::object();
  std::vector<CodeRow> picture_codes;
  for (const Service& service : api.services()) {
    tags.push_back({{"name", service.descriptor->name()}, {"description", service.comment.Text()}});
    for (const Method& method : service.methods) {
      if (method.descriptor->name() == "GetImage") picture_codes = method.comment.codes;
      for (size_t i = 0; i < method.bindings.size(); ++i) {
        auto operation = Operation(api, service, method, i);
        if (!operation.ok()) return operation.status();
        Json& place = paths[method.bindings[i].path][method.bindings[i].verb];
        if (!place.is_null()) {
          return absl::AlreadyExistsError(absl::StrCat(method.descriptor->full_name(), ": another method has ",
                                                       method.bindings[i].verb, " ", method.bindings[i].path, " too."));
        }
        place = *std::move(operation);
      }
    }
  }
  constexpr char kPicture[] = "/v1/collections/{collection}/images/{id}";
  paths[absl::StrCat(kPicture, "/preview")]["get"] =
      PictureOperation("GetPreview", "Returns an image's preview", picture_codes);
  paths[absl::StrCat(kPicture, "/original")]["get"] =
      PictureOperation("GetOriginal", "Returns an image's original bytes", picture_codes);
  paths["/v1/openapi.json"]["get"] = DocumentOperation();

  auto schemas = ComponentSchemas(api);
  if (!schemas.ok()) return schemas.status();
  (*schemas)["Error"] = ErrorSchema();
  const Json bearer{
      {"type", "http"},
      {"scheme", "bearer"},
      {"description", "A key, where the server has keys (--api_keys); without keys every caller may do all."}};
  return Json{{"openapi", "3.0.3"},
              {"info",
               {{"title", "Sightline"},
                {"description", kAbout},
                {"version", std::string(version)},
                {"license", {{"name", "Apache-2.0"}, {"url", "https://www.apache.org/licenses/LICENSE-2.0"}}}}},
              {"servers", Json::array({{{"url", "/"}}})},
              {"security", Json::array({{{"bearer", Json::array()}}, Json::object()})},
              {"tags", std::move(tags)},
              {"paths", std::move(paths)},
              {"components", {{"schemas", *std::move(schemas)}, {"securitySchemes", {{"bearer", bearer}}}}}};
}

}  // namespace sightline::reference
