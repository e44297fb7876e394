#include "server/http/transcode.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/http/field_path.h"
#include "server/http/uri.h"

namespace sightline::server {
namespace {

using google::protobuf::Message;

constexpr size_t kShownProblem = 200;
// `{},` is three bytes of JSON, and two hundred once it is a message. The largest request that means something is one
// of 100,000 pairs, of three fields each.
constexpr int64_t kMaxValues = 500'000;

// At least as many values as the JSON has, whether it is JSON or not.
int64_t CountValues(absl::string_view json) {
  return 1 + std::count_if(json.begin(), json.end(), [](char c) { return c == ',' || c == '{' || c == '['; });
}

}  // namespace

std::unique_ptr<Message> NewMessage(const google::protobuf::Descriptor* type) {
  const Message* prototype = google::protobuf::MessageFactory::generated_factory()->GetPrototype(type);
  return std::unique_ptr<Message>(prototype->New());
}

absl::Status ParseJson(absl::string_view json, Message* message) {
  if (const int64_t values = CountValues(json); values > kMaxValues) {
    return base::InvalidArgument(
        "JSON_TOO_MANY_VALUES",
        absl::StrCat("the JSON has ", values, " values; the limit is ", kMaxValues, ". Send several smaller requests."),
        {{"field", "body"}, {"actual", absl::StrCat(values)}, {"limit", absl::StrCat(kMaxValues)}});
  }
  const auto status = google::protobuf::util::JsonStringToMessage({json.data(), json.size()}, message);
  if (status.ok()) return absl::OkStatus();
  // protobuf shows the place in several lines.
  std::string problem(status.message().data(), std::min(status.message().size(), kShownProblem));
  for (char& c : problem) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  while (!problem.empty() && (problem.back() == '.' || problem.back() == ' ')) problem.pop_back();
  problem.erase(0, problem.find_first_not_of(": "));
  return base::InvalidArgument("JSON_INVALID",
                               absl::StrCat("the JSON is no ", message->GetDescriptor()->name(), ": ", problem,
                                            ". Correct it; GET /v1/openapi.json says what it may hold."),
                               {{"field", "body"}, {"actual", problem}});
}

absl::StatusOr<std::string> ToJson(const Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (status.ok()) return json;
  return base::Error(absl::StatusCode::kInternal, "JSON_NOT_WRITTEN",
                     absl::StrCat("the answer cannot be written as JSON: ",
                                  absl::string_view(status.message().data(), status.message().size()),
                                  ". Ask by gRPC, and report this as a fault."));
}

absl::StatusOr<std::unique_ptr<Message>> ToMessage(const RouteMatch& match, absl::string_view query, RequestBody body,
                                                   bool parameters) {
  const Route& route = *match.route;
  std::unique_ptr<Message> message = NewMessage(route.method->input_type());
  if (!body.json.empty()) SIGHTLINE_RETURN_IF_ERROR(ParseJson(body.json, message.get()));
  body.json = {};
  for (auto& [path, bytes] : body.fields) {
    SIGHTLINE_RETURN_IF_ERROR(SetBytesField(path, std::move(bytes), message.get()));
  }
  for (const auto& [name, value] : match.values) {
    const auto* field = message->GetDescriptor()->FindFieldByName(name);
    const auto& reflection = *message->GetReflection();
    const std::string given = reflection.GetString(*message, field);
    if (!given.empty() && given != value) {
      return base::InvalidArgument("FIELD_CONFLICT",
                                   absl::StrCat("'", name,
                                                "' is one thing in the address and another in the body. "
                                                "Leave it out of the body."),
                                   {{"field", name}});
    }
    reflection.SetString(message.get(), field, value);
  }
  if (!parameters && !query.empty()) {
    return base::InvalidArgument("PARAMETERS_NOT_TAKEN",
                                 "the address has parameters, and this verb takes its fields from the body. Send them "
                                 "as JSON.",
                                 {{"field", "query"}});
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const auto pairs, ParseQuery(query));
  for (const auto& [name, value] : pairs) {
    SIGHTLINE_RETURN_IF_ERROR(SetFieldFromText(name, value, message.get()));
  }
  return message;
}

}  // namespace sightline::server
