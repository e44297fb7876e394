// HttpExchange: one request that libmicrohttpd has in hand, and whether its connection waits for somebody to wake it.
//
// libmicrohttpd must be told to take a connection out of its loop, by its own thread, and to take it back, by whoever
// has news. News may come before the connection waits: they are remembered.
//
// Threading: Wake and MarkGone from any thread; the rest on the listener's thread. Ownership: the listener's; a Waker
// holds it weakly.
#ifndef SIGHTLINE_SERVER_HTTP_HTTP_EXCHANGE_H_
#define SIGHTLINE_SERVER_HTTP_HTTP_EXCHANGE_H_

#include <microhttpd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "server/http/caller_watch.h"
#include "server/http/http_call.h"

namespace sightline::server {

class HttpExchange {
 public:
  HttpExchange(uint64_t number, MHD_Connection* connection, CallerWatch& watch)
      : number_(number), connection_(connection), watch_(watch) {}

  // Takes the connection out of the loop. False: there was news already, or the exchange is over.
  bool Suspend() {
    base::MutexLock lock(mutex_);
    if (woken_ || gone_) {
      woken_ = false;
      return false;
    }
    MHD_suspend_connection(connection_);
    suspended_ = true;
    watch_.Add(Descriptor(), number_);
    return true;
  }

  void Wake() {
    base::MutexLock lock(mutex_);
    if (over_) return;
    if (!suspended_) {
      woken_ = true;
      return;
    }
    suspended_ = false;
    watch_.Remove(Descriptor());
    MHD_resume_connection(connection_);
  }

  void MarkGone() {
    gone_ = true;
    Wake();
  }
  bool gone() const { return gone_; }

  // The connection must not be touched any more.
  void MarkOver() {
    base::MutexLock lock(mutex_);
    over_ = true;
  }

  uint64_t number() const { return number_; }
  MHD_Connection* connection() const { return connection_; }

  // Of the listener's thread.
  std::string uri;
  HttpHead head;
  std::shared_ptr<HttpCall> call;
  std::optional<HttpReply> refusal;  // sent once the body, which nobody wants, has come
  bool begun = false;
  bool ended = false;
  size_t unwanted = 0;  // bytes of such a body
  base::Clock::Ticks body_until = {};

 private:
  int Descriptor() const {
    const MHD_ConnectionInfo* info = MHD_get_connection_info(connection_, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info == nullptr ? -1 : info->connect_fd;
  }

  const uint64_t number_;
  MHD_Connection* const connection_;
  CallerWatch& watch_;
  std::atomic<bool> gone_ = false;
  base::Mutex mutex_;
  bool suspended_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_HTTP_EXCHANGE_H_
