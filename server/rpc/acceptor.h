// Acceptor: listens on an address and hands connections to a gRPC server: so many in all, so many of one caller, and no
// more than there are files for.
//
// gRPC 1.51 can listen by itself, but gives up listening for good when it cannot take a connection for want of a file
// descriptor. So connections are taken here. One whose descriptor is among the last of those that the process may have
// is closed at once: they are for the files of collections and for decoders, so that callers who are there are served
// on. Where even those are used up, connections wait in the system's queue, and are looked at again soon. Nor has gRPC
// a limit of connections: what is too much of them is closed at once too.
//
// Threading: Bind, Serve and Stop from one thread; connections are taken on a thread of its own. Ownership: owns its
// sockets until a connection is handed over. Failure: Bind says which address cannot be had.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(auto acceptor, Acceptor::Bind({.address = "127.0.0.1:50051"}));
//   acceptor->Serve(builder.experimental().AddExternalConnectionAcceptor(...));  // once the gRPC server has started
//   acceptor->Stop();  // before it ends, and then
//   acceptor->Disconnect(deadline);
#ifndef SIGHTLINE_SERVER_RPC_ACCEPTOR_H_
#define SIGHTLINE_SERVER_RPC_ACCEPTOR_H_

#include <grpcpp/server_builder.h>
#include <sys/socket.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/rpc/connection_table.h"

namespace sightline::server {

class Acceptor {
 public:
  struct Options {
    std::string address = "127.0.0.1:50051";  // host:port; port 0 picks a free one
    std::string setting = "listen";           // the flag that gave the address, for the error
    ConnectionTable::Limits limits = {};
    // A connection was closed: "connections" (too many, or for want of descriptors) or "connections_of_address"; any
    // thread.
    std::function<void(absl::string_view reason)> on_refused = nullptr;
  };
  using Server = grpc::experimental::ExternalConnectionAcceptor;

  static absl::StatusOr<std::unique_ptr<Acceptor>> Bind(Options options);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  int port() const { return port_; }
  // Open now.
  int connections() { return table_.Count(); }

  // Ends the connection of this peer; false where there is none. Any thread.
  bool Close(const std::string& peer) { return table_.Close(peer); }

  // From now on connections go to `server`.
  void Serve(std::unique_ptr<Server> server);

  // Takes no more, and closes the address. Safe to call twice.
  void Stop();

  // Ends all connections, each when its peer has what was sent to it, at `deadline` at the latest. After Stop.
  void Disconnect(absl::Time deadline);

 private:
  explicit Acceptor(Options options);
  absl::Status Listen();
  void Run();
  // One connection of a listening socket; false when there is none, or no descriptor for it.
  bool Take(int listener);
  // The reason for which it is closed; empty where it may stay.
  absl::string_view Refusal(int connection, const std::string& caller);

  const Options options_;
  const int most_files_;  // descriptors from here on are not for connections
  ConnectionTable table_;
  std::vector<int> listeners_;
  int wake_ = -1;  // an eventfd: written to by Stop
  int port_ = 0;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

// What connections of one caller have in common: an IPv4 address, or the first half of an IPv6 address, of which a
// caller has as many as it likes. Empty for other sockets.
std::string CallerOf(const sockaddr_storage& peer);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_ACCEPTOR_H_
