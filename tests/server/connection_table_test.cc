// Connections are counted while they are open, in all and for each address, though nobody tells when one is closed.
#include "server/rpc/connection_table.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/http/address.h"
#include "tests/support/fake_clock.h"

namespace sightline::server {
namespace {

using Verdict = ConnectionTable::Verdict;

class Socket {
 public:
  Socket() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data()), 0); }
  ~Socket() { Close(); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return ends_[0]; }
  void Close() {
    for (int& end : ends_) {
      if (end >= 0) ::close(end);
      end = -1;
    }
  }

 private:
  std::array<int, 2> ends_ = {-1, -1};
};

class ConnectionTableTest : public ::testing::Test {
 protected:
  // Looks again, however often it was asked before.
  Verdict AddLater(const Socket& socket, const std::string& address) {
    clock_.Advance(absl::Seconds(1));
    return table_.Add(socket.fd(), address);
  }

  sightline::testing::FakeClock clock_;
  ConnectionTable table_{{.most = 5, .most_per_address = 3}, clock_};
};

TEST_F(ConnectionTableTest, AnAddressHasItsShareAndOthersTheRest) {
  std::array<Socket, 8> sockets;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(AddLater(sockets[static_cast<size_t>(i)], "a"), Verdict::kTaken);
  EXPECT_EQ(AddLater(sockets[3], "a"), Verdict::kAddressFull);
  EXPECT_EQ(AddLater(sockets[4], "b"), Verdict::kTaken);
  EXPECT_EQ(AddLater(sockets[5], "c"), Verdict::kTaken);
  EXPECT_EQ(AddLater(sockets[6], "b"), Verdict::kFull);
  EXPECT_EQ(table_.Count(), 5);
}

TEST_F(ConnectionTableTest, ClosedOnesAreNotCounted) {
  std::array<Socket, 6> sockets;
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(AddLater(sockets[i], "a"), Verdict::kTaken);
  sockets[1].Close();
  EXPECT_EQ(AddLater(sockets[3], "a"), Verdict::kTaken);
  EXPECT_EQ(AddLater(sockets[4], "a"), Verdict::kAddressFull);
  for (Socket& socket : sockets) socket.Close();
  EXPECT_EQ(table_.Count(), 0);
}

// The system gives the number of a closed descriptor to the next one.
TEST_F(ConnectionTableTest, AnotherSocketOfTheSameNumberIsAnother) {
  auto first = std::make_unique<Socket>();
  const int number = first->fd();
  EXPECT_EQ(AddLater(*first, "a"), Verdict::kTaken);
  first.reset();
  Socket second;
  ASSERT_EQ(second.fd(), number) << "the test needs the number again";
  EXPECT_EQ(table_.Count(), 0);
  EXPECT_EQ(AddLater(second, "a"), Verdict::kTaken);
  EXPECT_EQ(table_.Count(), 1);
}

TEST_F(ConnectionTableTest, AFullTableIsNotLookedThroughForEachNewcomer) {
  std::array<Socket, 6> sockets;
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(table_.Add(sockets[i].fd(), "a"), Verdict::kTaken);
  EXPECT_EQ(table_.Add(sockets[3].fd(), "a"), Verdict::kAddressFull);
  sockets[0].Close();
  EXPECT_EQ(table_.Add(sockets[4].fd(), "a"), Verdict::kAddressFull) << "it has just looked";
  EXPECT_EQ(AddLater(sockets[5], "a"), Verdict::kTaken);
}

TEST_F(ConnectionTableTest, WithoutAnAddressOnlyAllAreCounted) {
  std::array<Socket, 6> sockets;
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(AddLater(sockets[i], ""), Verdict::kTaken);
  EXPECT_EQ(AddLater(sockets[5], ""), Verdict::kFull);
}

// Connections over the loopback address, which are in the table.
class ConnectedTableTest : public ConnectionTableTest {
 protected:
  struct Connection {
    int ours;
    int peers;
    std::string name;  // of the peer
  };

  void SetUp() override {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(::bind(listener, any, size), 0);
    ASSERT_EQ(::listen(listener, 2), 0);
    ASSERT_EQ(::getsockname(listener, any, &size), 0);
    for (Connection& connection : connections_) {
      connection.peers = ::socket(AF_INET, SOCK_STREAM, 0);
      ASSERT_EQ(::connect(connection.peers, any, size), 0);
      connection.ours = ::accept(listener, nullptr, nullptr);
      ASSERT_EQ(table_.Add(connection.ours, "a"), Verdict::kTaken);
      sockaddr_in peer{};
      socklen_t peer_size = sizeof(peer);
      ASSERT_EQ(::getsockname(connection.peers, reinterpret_cast<sockaddr*>(&peer), &peer_size), 0);
      connection.name = absl::StrCat("ipv4:127.0.0.1:", ntohs(peer.sin_port));
    }
    ::close(listener);
  }
  void TearDown() override {
    for (const Connection& connection : connections_) {
      ::close(connection.ours);
      ::close(connection.peers);
    }
  }

  static bool IsOpen(int fd) {
    char byte = 0;
    const ssize_t got = ::recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    return got == 1 || (got < 0 && errno == EAGAIN);
  }

  std::array<Connection, 2> connections_ = {{{-1, -1, ""}, {-1, -1, ""}}};
};

TEST(PeerNameTest, IsWrittenAsGrpcWritesIt) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  address.sin6_port = htons(54321);
  const auto* const any = reinterpret_cast<const sockaddr*>(&address);
  EXPECT_EQ(PeerName(any), "ipv6:%5B::1%5D:54321");
  ASSERT_EQ(::inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr), 1);
  EXPECT_EQ(PeerName(any), "ipv4:127.0.0.1:54321") << "an IPv4 address in another dress";
  EXPECT_EQ(PeerName(nullptr), "unknown");
}

TEST_F(ConnectedTableTest, AConnectionIsClosedByThePeersName) {
  EXPECT_FALSE(table_.Close("ipv4:127.0.0.1:1"));
  // What has come and was not read would be read, a megabyte of it, if the connection were only shut down.
  ASSERT_EQ(::send(connections_[1].peers, "unread", 6, 0), 6);
  EXPECT_TRUE(table_.Close(connections_[1].name));
  EXPECT_FALSE(IsOpen(connections_[1].peers));
  EXPECT_FALSE(IsOpen(connections_[1].ours)) << "nothing is left to be read";
  EXPECT_TRUE(IsOpen(connections_[0].peers));
  EXPECT_FALSE(table_.Close(connections_[1].name)) << "it is gone";
}

TEST_F(ConnectedTableTest, AllAreClosedOnceTheirPeersHaveWhatWasSent) {
  // To one that takes nothing, until no more goes.
  std::string much(1 << 20, 'x');
  while (::send(connections_[0].ours, much.data(), much.size(), MSG_DONTWAIT) > 0) {
  }
  ASSERT_EQ(::send(connections_[1].ours, "answer", 6, 0), 6);
  EXPECT_EQ(table_.CloseAll(/*unsent_too=*/false), 1);
  char answer[7] = {};
  EXPECT_EQ(::recv(connections_[1].peers, answer, 6, 0), 6);
  EXPECT_STREQ(answer, "answer");
  EXPECT_EQ(::recv(connections_[1].peers, answer, 6, 0), 0) << "it has ended";
  EXPECT_TRUE(IsOpen(connections_[0].ours));
  EXPECT_EQ(table_.CloseAll(/*unsent_too=*/false), 1);
  EXPECT_EQ(table_.CloseAll(/*unsent_too=*/true), 0);
  EXPECT_FALSE(IsOpen(connections_[0].ours));
}

}  // namespace
}  // namespace sightline::server
