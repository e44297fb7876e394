#include "server/rpc/acceptor.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "server/http/address.h"

namespace sightline::server {
namespace {

// What is kept from connections: an eighth, and no more than even large collections need.
constexpr rlim_t kReservedShare = 8;
constexpr rlim_t kMostReserved = 1024;

// Until descriptors are asked for again where none are left.
constexpr int kPauseMilliseconds = 100;

// At connections that wait for their peers to take the last of what was sent.
constexpr absl::Duration kFlushPause = absl::Milliseconds(2);

int MostFiles() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::numeric_limits<int>::max();
  const rlim_t most = limit.rlim_cur - std::min(limit.rlim_cur / kReservedShare, kMostReserved);
  return static_cast<int>(std::min<rlim_t>(most, std::numeric_limits<int>::max()));
}

absl::Status NotBound(const std::string& address, const std::string& setting, int error) {
  return base::Error(absl::StatusCode::kUnavailable, "ADDRESS_NOT_BOUND",
                     absl::StrCat("cannot listen on ", address, ": ", std::strerror(error),
                                  ". Check that the address is this machine's and that no other server uses the port, "
                                  "or choose another with --",
                                  setting, "."),
                     {{"address", address}});
}

void SetPort(int port, sockaddr* address) {
  const auto network = htons(static_cast<uint16_t>(port));
  if (address->sa_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address)->sin6_port = network;
  } else {
    reinterpret_cast<sockaddr_in*>(address)->sin_port = network;
  }
}

int PortOf(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                                             : reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

// -1 with errno where the address cannot be had.
int ListenOn(const sockaddr* address, socklen_t size) {
  const int fd = ::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  // SO_REUSEPORT stays off: a second server on the same port would take half of the connections, unnoticed.
  const int on = 1;
  const int off = 0;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  // [::] stands for every address, those of IPv4 among them.
  if (address->sa_family == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  if (::bind(fd, address, size) == 0 && ::listen(fd, SOMAXCONN) == 0) return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

}  // namespace

std::string CallerOf(const sockaddr_storage& peer) {
  constexpr size_t kNetwork = 8;  // bytes of an IPv6 address that name a customer of a provider
  if (peer.ss_family == AF_INET) {
    const in_addr& address = reinterpret_cast<const sockaddr_in*>(&peer)->sin_addr;
    return {reinterpret_cast<const char*>(&address), sizeof(address)};
  }
  if (peer.ss_family != AF_INET6) return "";
  const in6_addr& address = reinterpret_cast<const sockaddr_in6*>(&peer)->sin6_addr;
  const char* const bytes = reinterpret_cast<const char*>(&address);
  // An IPv4 address in another dress is that address.
  return IN6_IS_ADDR_V4MAPPED(&address) ? std::string(bytes + 12, 4) : std::string(bytes, kNetwork);
}

Acceptor::Acceptor(Options options)
    : options_(std::move(options)),
      most_files_(MostFiles()),
      table_(options_.limits, base::Clock::Real()),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

Acceptor::~Acceptor() {
  Stop();
  if (wake_ >= 0) ::close(wake_);
}

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Bind(Options options) {
  std::unique_ptr<Acceptor> acceptor(new Acceptor(std::move(options)));
  SIGHTLINE_RETURN_IF_ERROR(acceptor->Listen());
  return acceptor;
}

absl::Status Acceptor::Listen() {
  SIGHTLINE_ASSIGN_OR_RETURN(const HostPort target, ParseHostPort(options_.address));
  if (wake_ < 0) return NotBound(options_.address, options_.setting, EMFILE);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (::getaddrinfo(target.host.c_str(), absl::StrCat(target.port).c_str(), &hints, &found) != 0 || found == nullptr) {
    return NotBound(options_.address, options_.setting, EADDRNOTAVAIL);
  }
  const auto free = absl::MakeCleanup([found] { ::freeaddrinfo(found); });
  int error = 0;
  // A name such as localhost may have several addresses, with one port for all.
  port_ = target.port;
  for (addrinfo* one = found; one != nullptr; one = one->ai_next) {
    SetPort(port_, one->ai_addr);
    const int fd = ListenOn(one->ai_addr, one->ai_addrlen);
    if (fd < 0) {
      error = errno;
      if (error == EADDRINUSE) break;
      continue;
    }
    listeners_.push_back(fd);
    port_ = PortOf(fd);
  }
  if (!listeners_.empty() && error != EADDRINUSE) return absl::OkStatus();
  return NotBound(options_.address, options_.setting, error);
}

void Acceptor::Serve(std::unique_ptr<Server> server) {
  server_ = std::move(server);
  thread_ = std::thread([this] { Run(); });
}

void Acceptor::Stop() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    (void)!::write(wake_, &one, sizeof(one));
    thread_.join();
  }
  for (const int listener : listeners_) ::close(listener);
  listeners_.clear();
}

void Acceptor::Disconnect(absl::Time deadline) {
  for (;;) {
    const bool last = absl::Now() >= deadline;
    if (table_.CloseAll(/*unsent_too=*/last) == 0 || last) return;
    absl::SleepFor(kFlushPause);
  }
}

void Acceptor::Run() {
  pthread_setname_np(pthread_self(), "accept");
  std::vector<pollfd> watched = {{wake_, POLLIN, 0}};
  for (const int listener : listeners_) watched.push_back({listener, POLLIN, 0});
  for (;;) {
    if (::poll(watched.data(), watched.size(), -1) < 0) continue;  // interrupted
    if (watched[0].revents != 0) return;
    for (size_t i = 1; i < watched.size(); ++i) {
      if (watched[i].revents == 0 || Take(watched[i].fd)) continue;
      // The rest waits in the system's queue; Stop is noticed all the same.
      ::poll(watched.data(), 1, kPauseMilliseconds);
    }
  }
}

absl::string_view Acceptor::Refusal(int connection, const std::string& caller) {
  // The system gives the lowest number that is free, so all below it are in use.
  if (connection >= most_files_) return "connections";
  switch (table_.Add(connection, caller)) {
    case ConnectionTable::Verdict::kTaken: return "";
    case ConnectionTable::Verdict::kFull: return "connections";
    case ConnectionTable::Verdict::kAddressFull: return "connections_of_address";
  }
  return "";
}

bool Acceptor::Take(int listener) {
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  const int fd = ::accept4(listener, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  // Besides want of descriptors or memory, there is the connection that has gone before it was taken.
  if (fd < 0) return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
  if (const absl::string_view refusal = Refusal(fd, CallerOf(peer)); !refusal.empty()) {
    ::close(fd);
    if (options_.on_refused) options_.on_refused(refusal);
    return true;
  }
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  Server::NewConnectionParameters connection;
  connection.listener_fd = listener;
  connection.fd = fd;
  server_->HandleNewConnection(&connection);
  return true;
}

}  // namespace sightline::server
