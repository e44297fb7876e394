// HttpReply: what a listener sends back.
//
// Threading: none of its own. Ownership: a value; a body that comes in pieces is shared with whoever makes them.
// Failure: a body that breaks closes the connection, so that nobody takes half of it for the whole.
#ifndef SIGHTLINE_SERVER_HTTP_HTTP_REPLY_H_
#define SIGHTLINE_SERVER_HTTP_HTTP_REPLY_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace sightline::server {

// A body whose length is not known when it begins.
class HttpBody {
 public:
  virtual ~HttpBody() = default;
  enum : ssize_t { kNothingYet = 0, kEnd = -1, kBroken = -2 };
  // Writes at most `size` bytes and returns how many, or one of the above. After kNothingYet it is asked again once the
  // call's Waker was called. On the listener's thread.
  virtual ssize_t Read(char* buffer, size_t size) = 0;
};

struct HttpReply {
  int code = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  bool may_be_cached = false;                // otherwise the reply says no-store
  std::shared_ptr<HttpBody> stream = {};     // instead of `body`
  int64_t length = -1;                       // of `stream`; -1 where it is not known
  std::shared_ptr<const void> held = {};     // lives until the body was sent
  const std::string* shared_body = nullptr;  // instead of `body`: outlives the listener
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_HTTP_REPLY_H_
