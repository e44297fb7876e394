// Web: the HTTP addresses of a server: the main one, with the console, the API as JSON and the pages of probes, and the
// administrators' one, with the pages of operators and, where administrators have a gRPC address of their own, the API
// as that one serves it.
//
// Threading: Start, Connect, Drain and the destructor from one thread. Ownership: owns listeners and gateways; borrows
// the options. Failure: Start says which address cannot be bound.
#ifndef SIGHTLINE_SERVER_HTTP_WEB_H_
#define SIGHTLINE_SERVER_HTTP_WEB_H_

#include <grpcpp/channel.h>

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/http/gateway.h"
#include "server/http/http_server.h"
#include "server/http/http_tls.h"
#include "server/http/pages.h"
#include "server/http/site.h"
#include "server/http/static_files.h"
#include "server/options.h"

namespace sightline::server {

class Web {
 public:
  // Listens at once; calls of the API are UNAVAILABLE until Connect. `tls` null: plain.
  static absl::StatusOr<std::unique_ptr<Web>> Start(const ServerOptions& options, const TlsFiles* tls,
                                                    Pages::Routes main, Pages::Routes admin);

  // `admin` null: administrators have no gRPC address of their own.
  void Connect(std::shared_ptr<grpc::Channel> main, std::shared_ptr<grpc::Channel> admin);

  // Before the gRPC server behind the channel ends.
  void Disconnect();
  void DisconnectAdmin();

  // Waits until what is in hand is answered, at most `most`.
  void Drain(absl::Duration most);

  int port() const { return server_ == nullptr ? 0 : server_->port(); }
  int admin_port() const { return admin_server_ == nullptr ? 0 : admin_server_->port(); }

 private:
  Web(Pages::Routes main, Pages::Routes admin);
  absl::Status Open(const ServerOptions& options, const TlsFiles* tls);

  const StaticFiles files_;
  Pages pages_;
  Pages admin_pages_;
  std::unique_ptr<HttpTls> tls_;  // null: plain
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<Gateway> admin_gateway_;  // null where the main one serves administrators
  std::unique_ptr<Site> site_;
  std::unique_ptr<Site> admin_site_;
  std::unique_ptr<HttpServer> server_;  // null where it does not listen
  std::unique_ptr<HttpServer> admin_server_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_WEB_H_
