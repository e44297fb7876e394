#include "proto/reference/request_body.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sightline::reference {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;

namespace {

// No request nests deeper, and a message that held itself would never end.
constexpr int kDeepestFile = 6;

void CollectFilePaths(const Descriptor* message, const std::string& prefix, int depth,
                      std::vector<std::string>& paths) {
  if (depth > kDeepestFile) return;
  for (int i = 0; i < message->field_count(); ++i) {
    const FieldDescriptor* field = message->field(i);
    if (field->is_map()) continue;
    const std::string path = absl::StrCat(prefix, field->json_name(), field->is_repeated() ? "[0]" : "");
    if (field->type() == FieldDescriptor::TYPE_BYTES) {
      paths.push_back(path);
    } else if (field->message_type() != nullptr && !IsWellKnown(field->message_type())) {
      CollectFilePaths(field->message_type(), path + ".", depth + 1, paths);
    }
  }
}

Json Binary() { return Json{{"type", "string"}, {"format", "binary"}}; }

Json MultipartBody(const Json& request, const std::vector<std::string>& paths) {
  Json properties{{"request", request}};
  for (const std::string& path : paths) properties[path] = Binary();
  return Json{
      {"schema",
       {{"type", "object"},
        {"description",
         "The request as JSON, and files whose names are the paths of the fields they fill. An index in brackets "
         "counts from 0. The header X-Requested-With must be there, whatever its value, so that no other site's page "
         "can send it."},
        {"properties", std::move(properties)},
        {"additionalProperties", Binary()}}},
      {"encoding", {{"request", {{"contentType", "application/json"}}}}}};
}

}  // namespace

std::vector<std::string> FilePaths(const Descriptor* request) {
  std::vector<std::string> paths;
  CollectFilePaths(request, "", 0, paths);
  return paths;
}

bool IsPieceOfBytes(const Descriptor* message) {
  const FieldDescriptor* data = message->FindFieldByName("data");
  return data != nullptr && data->type() == FieldDescriptor::TYPE_BYTES && !data->is_repeated();
}

Json RequestBody(const Api& api, const MethodDescriptor* method) {
  const Json request = SchemaReference(api.Name(method->input_type()));
  Json content = Json::object();
  if (method->client_streaming()) {
    content["application/x-ndjson"] = {{"schema", request}};
    if (IsPieceOfBytes(method->input_type())) content["application/octet-stream"] = {{"schema", Binary()}};
  } else {
    content["application/json"] = {{"schema", request}};
    const std::vector<std::string> paths = FilePaths(method->input_type());
    if (!paths.empty()) content["multipart/form-data"] = MultipartBody(request, paths);
  }
  Json body{{"required", true}, {"content", std::move(content)}};
  if (method->client_streaming()) body["description"] = "One request on each line.";
  return body;
}

Json SuccessResponse(const Api& api, const MethodDescriptor* method) {
  const Json reply = SchemaReference(api.Name(method->output_type()));
  if (method->server_streaming() && IsPieceOfBytes(method->output_type())) {
    return Json{{"description", "The bytes."}, {"content", {{"application/octet-stream", {{"schema", Binary()}}}}}};
  }
  const std::string text = CommentOf(method->output_type()).Text();
  if (method->server_streaming()) {
    return Json{
        {"description", text + " One reply on each line, or in each event; an error that comes later is the last one."},
        {"content",
         {{"application/x-ndjson", {{"schema", reply}}}, {"text/event-stream", {{"schema", {{"type", "string"}}}}}}}};
  }
  return Json{{"description", text}, {"content", {{"application/json", {{"schema", reply}}}}}};
}

}  // namespace sightline::reference
