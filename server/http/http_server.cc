#include "server/http/http_server.h"

#include <microhttpd.h>
#include <netdb.h>
#include <sys/socket.h>

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/http/address.h"

namespace sightline::server {
namespace {

constexpr unsigned kMaxConnections = 1024;
constexpr unsigned kMaxConnectionsPerAddress = 256;
constexpr unsigned kTimeoutSeconds = 10;
constexpr size_t kConnectionMemory = 32 * 1024;

class MicroHttpServer final : public HttpServer {
 public:
  explicit MicroHttpServer(Routes routes) : routes_(std::move(routes)) {}
  ~MicroHttpServer() override {
    if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
  }

  absl::Status Listen(const std::string& address) {
    SIGHTLINE_ASSIGN_OR_RETURN(const HostPort target, ParseHostPort(address));
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (getaddrinfo(target.host.c_str(), absl::StrCat(target.port).c_str(), &hints, &found) != 0 || found == nullptr) {
      return base::InvalidArgument(
          "ADDRESS_UNKNOWN", absl::StrCat("the host of ", address, " is not known. Use an address of this machine."),
          {{"address", address}});
    }
    const auto free = absl::MakeCleanup([found] { freeaddrinfo(found); });
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD;
    if (found->ai_family == AF_INET6) flags |= MHD_USE_IPv6;
    daemon_ =
        MHD_start_daemon(flags, static_cast<uint16_t>(target.port), nullptr, nullptr, &MicroHttpServer::Handle, this,
                         MHD_OPTION_SOCK_ADDR, found->ai_addr, MHD_OPTION_CONNECTION_LIMIT, kMaxConnections,
                         MHD_OPTION_PER_IP_CONNECTION_LIMIT, kMaxConnectionsPerAddress, MHD_OPTION_CONNECTION_TIMEOUT,
                         kTimeoutSeconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionMemory, MHD_OPTION_END);
    if (daemon_ == nullptr) {
      return base::Error(absl::StatusCode::kUnavailable, "ADDRESS_NOT_BOUND",
                         absl::StrCat("cannot listen on ", address,
                                      ". Check that the address is this machine's and that no other server uses the "
                                      "port, or choose another."),
                         {{"address", address}});
    }
    const MHD_DaemonInfo* info = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_BIND_PORT);
    port_ = info != nullptr ? info->port : target.port;
    return absl::OkStatus();
  }

  int port() const override { return port_; }

 private:
  static MHD_Result Send(MHD_Connection* connection, const HttpReply& reply) {
    MHD_Response* response =
        MHD_create_response_from_buffer(reply.body.size(), const_cast<char*>(reply.body.data()), MHD_RESPMEM_MUST_COPY);
    if (response == nullptr) return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply.content_type.c_str());
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (reply.code == MHD_HTTP_METHOD_NOT_ALLOWED)
      MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    const MHD_Result queued = MHD_queue_response(connection, static_cast<unsigned>(reply.code), response);
    MHD_destroy_response(response);
    return queued;
  }

  static MHD_Result Handle(void* self, MHD_Connection* connection, const char* url, const char* method, const char*,
                           const char*, size_t* upload_size, void** state) {
    // Not after a body, which has no end if its sender likes.
    const std::string verb = method;
    if (verb != MHD_HTTP_METHOD_GET && verb != MHD_HTTP_METHOD_HEAD) {
      return Send(connection,
                  {MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", "only GET and HEAD are answered here\n"});
    }
    // The first call brings the headers, the next ones a body, which no page takes.
    static int seen;
    if (*state == nullptr) {
      *state = &seen;
      return MHD_YES;
    }
    if (*upload_size != 0) {
      *upload_size = 0;
      return MHD_YES;
    }
    const Routes& routes = static_cast<MicroHttpServer*>(self)->routes_;
    const auto route = routes.find(url);
    if (route == routes.end()) {
      std::string known = "no such page; there are:";
      for (const auto& [path, handler] : routes) absl::StrAppend(&known, " ", path);
      return Send(connection, {MHD_HTTP_NOT_FOUND, "text/plain; charset=utf-8", known + "\n"});
    }
    return Send(connection, route->second());
  }

  const Routes routes_;
  MHD_Daemon* daemon_ = nullptr;
  int port_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& address, Routes routes) {
  auto server = std::make_unique<MicroHttpServer>(std::move(routes));
  SIGHTLINE_RETURN_IF_ERROR(server->Listen(address));
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace sightline::server
