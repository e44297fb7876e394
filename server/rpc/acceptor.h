// Acceptor: listens on an address and hands connections to a gRPC server, as many as there are files for.
//
// gRPC 1.51 can listen by itself, but gives up listening for good when it cannot take a connection for want of a file
// descriptor. So connections are taken here. One whose descriptor is among the last of those that the process may have
// is closed at once: they are for the files of collections and for decoders, so that callers who are there are served
// on. Where even those are used up, connections wait in the system's queue, and are looked at again soon.
//
// Threading: Bind, Serve and Stop from one thread; connections are taken on a thread of its own. Ownership: owns its
// sockets until a connection is handed over. Failure: Bind says which address cannot be had.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(auto acceptor, Acceptor::Bind({.address = "127.0.0.1:50051"}));
//   acceptor->Serve(builder.experimental().AddExternalConnectionAcceptor(...));  // once the gRPC server has started
//   acceptor->Stop();                                                            // before it ends
#ifndef SIGHTLINE_SERVER_RPC_ACCEPTOR_H_
#define SIGHTLINE_SERVER_RPC_ACCEPTOR_H_

#include <grpcpp/server_builder.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"

namespace sightline::server {

class Acceptor {
 public:
  struct Options {
    std::string address = "127.0.0.1:50051";     // host:port; port 0 picks a free one
    std::string setting = "listen";              // the flag that gave the address, for the error
    std::function<void()> on_refused = nullptr;  // a connection was closed for want of descriptors; any thread
  };
  using Server = grpc::experimental::ExternalConnectionAcceptor;

  static absl::StatusOr<std::unique_ptr<Acceptor>> Bind(Options options);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  int port() const { return port_; }

  // From now on connections go to `server`.
  void Serve(std::unique_ptr<Server> server);

  // Takes no more, and closes the address. Safe to call twice.
  void Stop();

 private:
  explicit Acceptor(Options options);
  absl::Status Listen();
  void Run();
  // One connection of a listening socket; false when there is none, or no descriptor for it.
  bool Take(int listener);

  const Options options_;
  const int most_files_;  // descriptors from here on are not for connections
  std::vector<int> listeners_;
  int wake_ = -1;  // an eventfd: written to by Stop
  int port_ = 0;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_ACCEPTOR_H_
