// Routes: every way to reach a method of the API by HTTP, as the google.api.http options of the methods say, and two
// ways to an image's bytes.
//
// Threading: immutable once made. Ownership: views descriptors of the generated pool, which live forever. Failure: Make
// says which method's option is missing or not understood; Find answers NOT_FOUND for an address nobody serves, and
// tells in `allow` which verbs it knows where only the verb is wrong.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const Routes routes, Routes::Make(ApiServices()));
//   auto match = routes.Find("GET", "/v1/collections/shop", &allow);
#ifndef SIGHTLINE_SERVER_HTTP_ROUTES_H_
#define SIGHTLINE_SERVER_HTTP_ROUTES_H_

#include <google/protobuf/descriptor.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/http/path_template.h"

namespace sightline::server {

struct Route {
  // What is answered: the reply as JSON, or the bytes of the image in it.
  enum class Answer { kJson, kPreview, kOriginal };

  std::string verb;  // "POST"
  PathTemplate path;
  const google::protobuf::MethodDescriptor* method = nullptr;
  std::string rpc_path = {};  // "/sightline.v1.SearchService/Search"
  bool takes_body = false;    // otherwise fields come as parameters of the query
  Answer answer = Answer::kJson;
};

struct RouteMatch {
  const Route* route = nullptr;
  PathTemplate::Values values;
};

class Routes {
 public:
  static absl::StatusOr<Routes> Make(absl::Span<const google::protobuf::ServiceDescriptor* const> services);

  absl::StatusOr<RouteMatch> Find(absl::string_view verb, absl::string_view path,
                                  std::vector<std::string>* allow) const;

  const std::vector<Route>& all() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

// The services of sightline.v1.
std::vector<const google::protobuf::ServiceDescriptor*> ApiServices();

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_ROUTES_H_
