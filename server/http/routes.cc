#include "server/http/routes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "google/api/annotations.pb.h"
#include "sightline/v1/collection_service.pb.h"
#include "sightline/v1/index_service.pb.h"
#include "sightline/v1/model_service.pb.h"
#include "sightline/v1/operation_service.pb.h"
#include "sightline/v1/search_service.pb.h"
#include "sightline/v1/server_service.pb.h"

namespace sightline::server {
namespace {

using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

constexpr size_t kShownPath = 120;

absl::Status RouteError(const MethodDescriptor& method, absl::string_view what) {
  return base::Error(absl::StatusCode::kInternal, "ROUTE_INVALID",
                     absl::StrCat(method.full_name(), " ", what, ". Report this as a fault."));
}

std::string RpcPath(const MethodDescriptor& method) {
  return absl::StrCat("/", method.service()->full_name(), "/", method.name());
}

absl::Status AddRule(const MethodDescriptor* method, const google::api::HttpRule& rule, std::vector<Route>* routes) {
  Route route;
  std::string path;
  using Rule = google::api::HttpRule;
  switch (rule.pattern_case()) {
    case Rule::kGet: route.verb = "GET", path = rule.get(); break;
    case Rule::kPut: route.verb = "PUT", path = rule.put(); break;
    case Rule::kPost: route.verb = "POST", path = rule.post(); break;
    case Rule::kDelete: route.verb = "DELETE", path = rule.delete_(); break;
    case Rule::kPatch: route.verb = "PATCH", path = rule.patch(); break;
    case Rule::PATTERN_NOT_SET: return RouteError(*method, "has a google.api.http option without a path");
  }
  SIGHTLINE_ASSIGN_OR_RETURN(route.path, PathTemplate::Parse(path));
  if (!rule.body().empty() && rule.body() != "*") return RouteError(*method, "has a body that is not \"*\"");
  for (const std::string& field : route.path.fields()) {
    const auto* descriptor = method->input_type()->FindFieldByName(field);
    if (descriptor == nullptr || descriptor->type() != google::protobuf::FieldDescriptor::TYPE_STRING) {
      return RouteError(*method, absl::StrCat("has a path with {", field, "}, which is no text of its request"));
    }
  }
  route.method = method;
  route.rpc_path = RpcPath(*method);
  route.takes_body = !rule.body().empty();
  routes->push_back(std::move(route));
  for (const google::api::HttpRule& more : rule.additional_bindings()) {
    SIGHTLINE_RETURN_IF_ERROR(AddRule(method, more, routes));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<const ServiceDescriptor*> ApiServices() {
  std::vector<const ServiceDescriptor*> services;
  for (const google::protobuf::FileDescriptor* file :
       {v1::SearchRequest::descriptor()->file(), v1::IndexRequest::descriptor()->file(),
        v1::GetCollectionRequest::descriptor()->file(), v1::ListModelsRequest::descriptor()->file(),
        v1::GetOperationRequest::descriptor()->file(), v1::GetServerInfoRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) services.push_back(file->service(i));
  }
  return services;
}

absl::StatusOr<Routes> Routes::Make(absl::Span<const ServiceDescriptor* const> services) {
  Routes out;
  for (const ServiceDescriptor* service : services) {
    for (int i = 0; i < service->method_count(); ++i) {
      const MethodDescriptor* method = service->method(i);
      if (!method->options().HasExtension(google::api::http)) {
        return RouteError(*method, "has no google.api.http option");
      }
      SIGHTLINE_RETURN_IF_ERROR(AddRule(method, method->options().GetExtension(google::api::http), &out.routes_));
      if (method->full_name() != "sightline.v1.IndexService.GetImage") continue;
      for (const auto& [path, answer] :
           {std::pair("preview", Route::Answer::kPreview), std::pair("original", Route::Answer::kOriginal)}) {
        SIGHTLINE_ASSIGN_OR_RETURN(
            PathTemplate image, PathTemplate::Parse(absl::StrCat("/v1/collections/{collection}/images/{id}/", path)));
        out.routes_.push_back({.verb = "GET",
                               .path = std::move(image),
                               .method = method,
                               .rpc_path = RpcPath(*method),
                               .takes_body = false,
                               .answer = answer});
      }
    }
  }
  // A verb is more than a segment that happens to end in it.
  std::stable_partition(out.routes_.begin(), out.routes_.end(), [](const Route& r) { return r.path.has_verb(); });
  return out;
}

absl::StatusOr<RouteMatch> Routes::Find(absl::string_view verb, absl::string_view path,
                                        std::vector<std::string>* allow) const {
  const absl::string_view asked = verb == "HEAD" ? "GET" : verb;
  for (const Route& route : routes_) {
    SIGHTLINE_ASSIGN_OR_RETURN(std::optional<PathTemplate::Values> values, route.path.Match(path));
    if (!values.has_value()) continue;
    if (route.verb == asked) return RouteMatch{&route, *std::move(values)};
    if (std::find(allow->begin(), allow->end(), route.verb) == allow->end()) allow->push_back(route.verb);
  }
  if (!allow->empty()) {
    return base::InvalidArgument("VERB_NOT_ALLOWED",
                                 absl::StrCat(verb.substr(0, kShownPath), " is not answered at ",
                                              path.substr(0, kShownPath), ". Use a verb of the header Allow."),
                                 {{"actual", std::string(verb.substr(0, kShownPath))}});
  }
  return base::NotFound(
      "ADDRESS_UNKNOWN",
      absl::StrCat("nothing is served at ", path.substr(0, kShownPath), ". GET /v1/openapi.json lists what there is."),
      {{"actual", std::string(path.substr(0, kShownPath))}});
}

}  // namespace sightline::server
