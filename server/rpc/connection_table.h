// ConnectionTable: the connections that are open, and whether there may be one more: so many in all, and of one address
// so many.
//
// Whoever uses a connection closes it and tells nobody. So the table remembers which socket a descriptor was: one that
// is closed, or is another socket by now, is not counted any more. It looks when it is full, and when it is asked.
//
// Threading: all methods may be called from any thread. Ownership: none of the descriptors. Failure: none.
//
//   ConnectionTable table({.most = 10'000, .most_per_address = 5'000}, base::Clock::Real());
//   if (table.Add(fd, address) != ConnectionTable::Verdict::kTaken) ::close(fd);
#ifndef SIGHTLINE_SERVER_RPC_CONNECTION_TABLE_H_
#define SIGHTLINE_SERVER_RPC_CONNECTION_TABLE_H_

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace sightline::server {

class ConnectionTable {
 public:
  struct Limits {
    int most = 10'000;
    int most_per_address = 5'000;
  };
  enum class Verdict { kTaken, kFull, kAddressFull };

  ConnectionTable(const Limits& limits, const base::Clock& clock) : limits_(limits), clock_(clock) {}

  // `fd` is a socket that was just accepted. Of an empty `address` any number is taken.
  Verdict Add(int fd, const std::string& address);

  // How many are open.
  int Count();

  // Ends the connection of this peer, as gRPC writes it ("ipv4:127.0.0.1:54321"); its owner sees that and closes it.
  // False where there is none.
  bool Close(const std::string& peer);

  // Ends all whose peers have acknowledged what was sent to them; the others too if `unsent_too`. How many it left.
  int CloseAll(bool unsent_too);

 private:
  struct Connection {
    int fd;
    ino_t socket;
    std::string address;
  };

  Verdict VerdictOf(const std::string& address) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Look() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Limits limits_;
  const base::Clock& clock_;
  base::Mutex mutex_;
  std::vector<Connection> connections_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> per_address_ ABSL_GUARDED_BY(mutex_);
  bool looked_ ABSL_GUARDED_BY(mutex_) = false;
  base::Clock::Ticks last_look_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_CONNECTION_TABLE_H_
