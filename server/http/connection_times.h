// ConnectionTimes: until when each connection of a listener must have come further; one that has not is shut down.
//
// libmicrohttpd closes a connection over which nothing comes or goes for some seconds, and for that a byte now and then
// is something: without this, callers could hold every connection by sending headers, or taking answers, byte by byte.
//
// Threading: all methods from any thread. Ownership: borrows the descriptors between Open and Close. Failure: none.
#ifndef SIGHTLINE_SERVER_HTTP_CONNECTION_TIMES_H_
#define SIGHTLINE_SERVER_HTTP_CONNECTION_TIMES_H_

#include <microhttpd.h>
#include <sys/socket.h>

#include <map>

#include "base/clock.h"
#include "base/mutex.h"

namespace sightline::server {

class ConnectionTimes {
 public:
  using Ticks = base::Clock::Ticks;
  static constexpr Ticks kNever = Ticks::max();

  void Open(const MHD_Connection* connection, int fd, Ticks until) {
    base::MutexLock lock(mutex_);
    connections_[connection] = {fd, until};
  }
  // Nothing where it is not open.
  void Set(const MHD_Connection* connection, Ticks until) {
    base::MutexLock lock(mutex_);
    if (const auto found = connections_.find(connection); found != connections_.end()) found->second.until = until;
  }
  // Before its descriptor is closed, which somebody else may get.
  void Close(const MHD_Connection* connection) {
    base::MutexLock lock(mutex_);
    connections_.erase(connection);
  }

  void EndLate(Ticks now) {
    base::MutexLock lock(mutex_);
    for (auto& [connection, state] : connections_) {
      if (state.until > now) continue;
      state.until = kNever;
      ::shutdown(state.fd, SHUT_RDWR);  // libmicrohttpd sees the end of it, and does the rest
    }
  }

 private:
  struct State {
    int fd;
    Ticks until;
  };

  base::Mutex mutex_;
  std::map<const MHD_Connection*, State> connections_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_CONNECTION_TIMES_H_
