// Pages: what is made from memory when it is asked for: health, metrics, status.
//
// Threading: as HttpHandler; pages are made on the listener's thread. Failure: other paths get 404, other methods 405.
#ifndef SIGHTLINE_SERVER_HTTP_PAGES_H_
#define SIGHTLINE_SERVER_HTTP_PAGES_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "server/http/http_call.h"

namespace sightline::server {

class Pages final : public HttpHandler {
 public:
  // Exact path -> what GET and HEAD answer.
  using Routes = std::map<std::string, std::function<HttpReply()>>;

  explicit Pages(Routes routes) : routes_(std::move(routes)) {}

  std::variant<HttpReply, std::shared_ptr<HttpCall>> Begin(const HttpHead& head, Waker) override {
    if (head.method != "GET" && head.method != "HEAD") {
      return HttpReply{
          .code = 405, .body = "only GET and HEAD are answered here\n", .headers = {{"Allow", "GET, HEAD"}}};
    }
    if (const auto route = routes_.find(head.path); route != routes_.end()) return route->second();
    std::string known = "no such page; there are:";
    for (const auto& [path, handler] : routes_) absl::StrAppend(&known, " ", path);
    return HttpReply{.code = 404, .body = known + "\n"};
  }

 private:
  const Routes routes_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_PAGES_H_
