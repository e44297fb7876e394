#include "server/rpc/connection_table.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "server/http/address.h"

namespace sightline::server {
namespace {

// Ten thousand descriptors take a few milliseconds to look at: not for each connection of somebody who opens them as
// fast as he can.
constexpr auto kBetweenLooks = std::chrono::milliseconds(100);

// Which socket a descriptor is: its number in the kernel's table of sockets. Nothing for what is none.
std::optional<ino_t> SocketOf(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISSOCK(info.st_mode)) return std::nullopt;
  return info.st_ino;
}

std::string PeerOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  auto* const peer = reinterpret_cast<sockaddr*>(&address);
  return ::getpeername(fd, peer, &size) == 0 ? PeerName(peer) : "";
}

// Unlike a shutdown, this leaves nothing to read of what has come already, which may be megabytes.
bool Abort(int fd) {
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  return ::connect(fd, &nobody, sizeof(nobody)) == 0;
}

// Bytes that were sent and that the peer has not acknowledged.
int Unacknowledged(int fd) {
  int bytes = 0;
  return ::ioctl(fd, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

}  // namespace

ConnectionTable::Verdict ConnectionTable::Add(int fd, const std::string& address) {
  base::MutexLock lock(mutex_);
  Verdict verdict = VerdictOf(address);
  if (verdict != Verdict::kTaken && (!looked_ || clock_.Steady() - last_look_ >= kBetweenLooks)) {
    Look();
    verdict = VerdictOf(address);
  }
  const std::optional<ino_t> socket = SocketOf(fd);
  if (verdict != Verdict::kTaken || !socket.has_value()) return verdict;
  connections_.push_back({fd, *socket, address});
  ++per_address_[address];
  return verdict;
}

int ConnectionTable::Count() {
  base::MutexLock lock(mutex_);
  Look();
  return static_cast<int>(connections_.size());
}

bool ConnectionTable::Close(const std::string& peer) {
  base::MutexLock lock(mutex_);
  for (const Connection& connection : connections_) {
    if (SocketOf(connection.fd) != connection.socket || PeerOf(connection.fd) != peer) continue;
    return Abort(connection.fd);
  }
  return false;
}

int ConnectionTable::CloseAll(bool unsent_too) {
  base::MutexLock lock(mutex_);
  Look();
  std::erase_if(connections_, [unsent_too](const Connection& connection) {
    if (!unsent_too && Unacknowledged(connection.fd) > 0) return false;
    ::shutdown(connection.fd, SHUT_RDWR);
    return true;
  });
  return static_cast<int>(connections_.size());
}

ConnectionTable::Verdict ConnectionTable::VerdictOf(const std::string& address) const {
  if (connections_.size() >= static_cast<size_t>(limits_.most)) return Verdict::kFull;
  const auto its = per_address_.find(address);
  const bool full = !address.empty() && its != per_address_.end() && its->second >= limits_.most_per_address;
  return full ? Verdict::kAddressFull : Verdict::kTaken;
}

void ConnectionTable::Look() {
  looked_ = true;
  last_look_ = clock_.Steady();
  std::erase_if(connections_,
                [](const Connection& connection) { return SocketOf(connection.fd) != connection.socket; });
  per_address_.clear();
  for (const Connection& connection : connections_) ++per_address_[connection.address];
}

}  // namespace sightline::server
