// HttpServer: a small HTTP/1.1 listener for pages that are made from memory: health, metrics, status. By libmicrohttpd:
// one epoll thread, bounded connections, time-outs, so that slow clients take nothing from others.
//
// Threading: handlers run on the listener's thread and must return soon. Ownership: owns its thread; the destructor
// ends it. Failure: Start says which address cannot be bound.
#ifndef SIGHTLINE_SERVER_HTTP_HTTP_SERVER_H_
#define SIGHTLINE_SERVER_HTTP_HTTP_SERVER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace sightline::server {

struct HttpReply {
  int code = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

class HttpServer {
 public:
  // Exact path -> what GET and HEAD answer. Other paths get 404, other methods 405.
  using Routes = std::map<std::string, std::function<HttpReply()>>;

  // `address` is host:port; port 0 picks a free one.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address, Routes routes);
  virtual ~HttpServer() = default;

  virtual int port() const = 0;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_HTTP_SERVER_H_
