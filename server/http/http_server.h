// HttpServer: an HTTP/1.1 listener, by libmicrohttpd: one epoll thread, bounded connections, time-outs, so that slow
// callers take nothing from others. What it serves is a handler's business.
//
// libmicrohttpd answers nothing between the first and the last byte of a body: a caller whose body comes too slowly is
// closed without an answer. So is one who takes too long for headers, or to take an answer that is no stream.
//
// Threading: handlers run on the listener's thread and must return soon. Ownership: owns its threads; borrows the
// handler; the destructor ends the calls under way. Failure: Start says which address cannot be bound.
//
//   Pages pages({{"/healthz", [] { return HttpReply{.body = "ok\n"}; }}});
//   SIGHTLINE_ASSIGN_OR_RETURN(auto server, HttpServer::Start({.address = "127.0.0.1:8080"}, &pages));
#ifndef SIGHTLINE_SERVER_HTTP_HTTP_SERVER_H_
#define SIGHTLINE_SERVER_HTTP_HTTP_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/http/http_call.h"

namespace sightline::server {

class HttpTls;

class HttpServer {
 public:
  struct Options {
    std::string address;                           // host:port; port 0 picks a free one
    const HttpTls* tls = nullptr;                  // null: plain
    absl::Duration head_time = absl::Seconds(30);  // from the connection, or the answer before, to the last header
    absl::Duration body_time = absl::Minutes(2);   // that a body may take from its first byte to its last, and a reply
    int64_t reply_rate = 16 << 10;                 // bytes per second: a long reply may take longer by that
  };

  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const Options& options, HttpHandler* handler);
  virtual ~HttpServer() = default;

  virtual int port() const = 0;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_HTTP_SERVER_H_
