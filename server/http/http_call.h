// HttpHandler and HttpCall: how what is served by HTTP meets the listener, which knows nothing of what is served.
//
// Threading: Begin, Complete, Take, End, TakeReply and Gone run on the listener's thread and must return soon; a Waker
// may be called from any thread at any time, also after the call is over. Ownership: the listener shares a call with
// whatever works for it. Failure: a refusal is a reply like any other.
#ifndef SIGHTLINE_SERVER_HTTP_HTTP_CALL_H_
#define SIGHTLINE_SERVER_HTTP_HTTP_CALL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/http/http_reply.h"

struct MHD_Connection;

namespace sightline::server {

// What came before the body.
struct HttpHead {
  std::string method;
  std::string path;                                          // as it was sent, without the query, not decoded
  std::string query;                                         // behind the question mark, not decoded
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case, in the order they came
  std::string peer;                                          // "ipv4:127.0.0.1:54321", as gRPC writes it
  std::string certificate;                                   // common name of a client certificate that was verified
  MHD_Connection* connection = nullptr;  // for libmicrohttpd's parser of forms, while the call lives

  // The first header of that name; empty where there is none.
  absl::string_view Header(absl::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return "";
  }
  int Count(absl::string_view name) const {
    int count = 0;
    for (const auto& [key, value] : headers) count += key == name ? 1 : 0;
    return count;
  }
};

class HttpCall {
 public:
  virtual ~HttpCall() = default;

  enum class Taken {
    kYes,
    kLater,  // the same piece comes again once the Waker was called
    kNever,  // the connection is closed: libmicrohttpd answers nothing inside of a body
  };
  // A piece of the body.
  virtual Taken Take(absl::string_view piece) = 0;
  // Whether a body may come as slowly as it likes, as long as it comes.
  virtual bool HasOwnPace() const { return false; }
  // The body is whole.
  virtual void End() = 0;
  // Asked after End, and again whenever the Waker was called, until there is one.
  virtual std::optional<HttpReply> TakeReply() = 0;
  // The caller has gone, has all of its answer, or the listener ends. Comes once, last, at any time after Begin.
  virtual void Gone() = 0;
};

using Waker = std::function<void()>;

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // The headers have come. A reply ends the exchange without its body being read.
  virtual std::variant<HttpReply, std::shared_ptr<HttpCall>> Begin(const HttpHead& head, Waker wake) = 0;
  // Adds what every reply carries.
  virtual void Complete(const HttpHead& /*head*/, HttpReply* /*reply*/) {}
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_HTTP_CALL_H_
