// ResetWatch: finds connections that open calls only to reset them ("rapid reset").
//
// HTTP/2 bounds the calls of a connection that are open at once, not those that were. gRPC 1.51 reads on for as long as
// a connection has something to read, and makes calls of all of it, 40 to 90 us and 10 KB each, before a completion
// queue hears of any of them: 100,000 took 1 GB and held up everybody for seconds. So they are found by what gRPC
// counts: a connection on which more calls were started than queues have heard of in all since, and than it may have
// open, has reset the rest. Where queues keep up, they tell of calls that were reset before anything was made of them.
// Those of a caller who is in a hurry, or often thinks better of it, were heard of and looked at.
//
// Threading: Look from one thread, Reset from any. Failure: none.
//
//   ResetWatch watch(clock);
//   for (const std::string& peer : watch.Look(started, heard_of, connections)) Close(peer);  // every 10 ms
//   if (watch.Reset(peer)) Close(peer);                                                      // for each such call
#ifndef SIGHTLINE_SERVER_RPC_RESET_WATCH_H_
#define SIGHTLINE_SERVER_RPC_RESET_WATCH_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "server/rpc/channelz.h"

namespace sightline::server {

class ResetWatch {
 public:
  explicit ResetWatch(const base::Clock& clock) : clock_(clock) {}

  // Calls that nobody has heard of yet: so many in all, and connections are looked at; so many more on one of them, and
  // it is closed. More than a connection may have open.
  static constexpr int kMost = 250;

  // `started`: calls of all connections so far. `heard_of`: those that a completion queue has handed out. `connections`
  // is asked for only when there is a reason. Returns the peers whose connections are to be closed.
  std::vector<std::string> Look(int64_t started, int64_t heard_of,
                                const std::function<std::vector<ConnectionCalls>()>& connections);

  // Of one connection in a second, before it is closed.
  static constexpr int kMostResets = 500;

  // A call of this peer was reset before anything was made of it. True: its connection is to be closed.
  bool Reset(const std::string& peer);

 private:
  const base::Clock& clock_;
  // Some calls end before a queue could be told. They are the fewest that nobody had heard of in the last second.
  int64_t never_heard_ = 0;
  int64_t lowest_ = 0;
  base::Clock::Ticks since_;
  // While too many are waiting to be heard of: what each peer had started when that began.
  std::optional<std::map<std::string, int64_t>> started_by_;
  int64_t heard_of_before_ = 0;

  base::Mutex mutex_;
  base::Clock::Ticks second_ ABSL_GUARDED_BY(mutex_);  // when the one began that resets are counted for
  std::map<std::string, int> resets_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_RESET_WATCH_H_
