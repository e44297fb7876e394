// EchoServer: a bare gRPC server that sends back what it gets, on one async completion-queue thread, gRPC's fastest API
// on a small machine. It listens on loopback.
//
// Threading: construct and destroy on one thread. Ownership: owns its server and thread. Failure: port() is 0 when it
// could not listen.
#ifndef SIGHTLINE_TESTS_BENCH_ECHO_SERVER_H_
#define SIGHTLINE_TESTS_BENCH_ECHO_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <thread>

#include "echo.grpc.pb.h"

namespace sightline::bench {

class EchoServer {
 public:
  EchoServer();
  ~EchoServer();
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;

  int port() const { return port_; }

 private:
  class Call;

  EchoService::AsyncService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::thread thread_;
  int port_ = 0;
};

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_ECHO_SERVER_H_
