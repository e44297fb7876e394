// Connections are counted while they are open, in all and for each address, though nobody tells when one is closed.
#include "server/rpc/connection_table.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

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

}  // namespace
}  // namespace sightline::server
