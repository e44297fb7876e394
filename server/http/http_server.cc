#include "server/http/http_server.h"

#include <microhttpd.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "server/http/address.h"
#include "server/http/caller_watch.h"
#include "server/http/connection_times.h"
#include "server/http/http_exchange.h"
#include "server/http/http_tls.h"

namespace sightline::server {
namespace {

constexpr unsigned kMaxConnections = 1024;
constexpr unsigned kMaxConnectionsPerAddress = 256;
constexpr unsigned kTimeoutSeconds = 10;
constexpr size_t kConnectionMemory = 64 * 1024;  // headers, and pieces of bodies
constexpr size_t kBlock = 32 * 1024;             // of a reply that comes in pieces
// Of a body that nobody wants: as much is read and thrown away so that its sender gets to see the answer; a sender of
// more sees the connection closed, unless it waits for "100 Continue" as curl does.
constexpr size_t kUnwantedBody = 1 << 20;

MHD_Result AddHeader(void* headers, MHD_ValueKind, const char* key, size_t key_size, const char* value,
                     size_t value_size) {
  static_cast<std::vector<std::pair<std::string, std::string>>*>(headers)->emplace_back(
      absl::AsciiStrToLower(absl::string_view(key, key_size)),
      value == nullptr ? std::string() : std::string(value, value_size));
  return MHD_YES;
}

struct HeldBody {
  std::string body;
  std::shared_ptr<const void> held;
};

struct HeldStream {
  std::shared_ptr<HttpBody> body;
  std::shared_ptr<const void> held;
  HttpExchange* exchange;
};

ssize_t ReadStream(void* state, uint64_t, char* buffer, size_t size) {
  HeldStream& stream = *static_cast<HeldStream*>(state);
  while (!stream.exchange->gone()) {
    const ssize_t count = stream.body->Read(buffer, size);
    if (count == HttpBody::kEnd) return MHD_CONTENT_READER_END_OF_STREAM;
    if (count == HttpBody::kBroken) return MHD_CONTENT_READER_END_WITH_ERROR;
    if (count != HttpBody::kNothingYet) return count;
    if (stream.exchange->Suspend()) return 0;
  }
  return MHD_CONTENT_READER_END_WITH_ERROR;
}

MHD_Response* MakeResponse(HttpReply reply, HttpExchange* exchange) {
  if (reply.stream != nullptr) {
    const uint64_t size = reply.length < 0 ? MHD_SIZE_UNKNOWN : static_cast<uint64_t>(reply.length);
    return MHD_create_response_from_callback(
        size, kBlock, &ReadStream,
        std::make_unique<HeldStream>(HeldStream{std::move(reply.stream), std::move(reply.held), exchange}).release(),
        [](void* state) { delete static_cast<HeldStream*>(state); });
  }
  if (reply.shared_body != nullptr) {
    return MHD_create_response_from_buffer(reply.shared_body->size(), const_cast<char*>(reply.shared_body->data()),
                                           MHD_RESPMEM_PERSISTENT);
  }
  auto held = std::make_unique<HeldBody>(HeldBody{std::move(reply.body), std::move(reply.held)});
  HeldBody* const raw = held.release();
  return MHD_create_response_from_buffer_with_free_callback_cls(
      raw->body.size(), raw->body.data(), [](void* state) { delete static_cast<HeldBody*>(state); }, raw);
}

class MicroHttpServer final : public HttpServer {
 public:
  MicroHttpServer(const Options& options, HttpHandler* handler)
      : options_(options),
        handler_(*handler),
        watch_([this](uint64_t number) { CallerGone(number); },
               [this] { times_.EndLate(base::Clock::Real().Steady()); }) {}

  ~MicroHttpServer() override {
    if (daemon_ == nullptr) return;
    stopping_ = true;
    {
      // libmicrohttpd does not end while connections are out of its loop.
      base::MutexLock lock(mutex_);
      for (const auto& [number, exchange] : exchanges_) exchange->MarkGone();
    }
    MHD_stop_daemon(daemon_);
  }

  absl::Status Listen() {
    const std::string& address = options_.address;
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
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    if (found->ai_family == AF_INET6) flags |= MHD_USE_IPv6;
    std::vector<MHD_OptionItem> more;
    if (options_.tls != nullptr) {
      flags |= MHD_USE_TLS;
      more.push_back({MHD_OPTION_HTTPS_PRIORITIES, 0, const_cast<char*>(HttpTls::Priorities())});
      more.push_back({MHD_OPTION_HTTPS_CERT_CALLBACK, 0, reinterpret_cast<void*>(HttpTls::Retriever())});
    }
    more.push_back({MHD_OPTION_END, 0, nullptr});
    daemon_ =
        MHD_start_daemon(flags, static_cast<uint16_t>(target.port), nullptr, nullptr, &MicroHttpServer::Handle, this,
                         MHD_OPTION_SOCK_ADDR, found->ai_addr, MHD_OPTION_CONNECTION_LIMIT, kMaxConnections,
                         MHD_OPTION_PER_IP_CONNECTION_LIMIT, kMaxConnectionsPerAddress, MHD_OPTION_CONNECTION_TIMEOUT,
                         kTimeoutSeconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionMemory,
                         MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, &MicroHttpServer::Arrive, this,
                         MHD_OPTION_NOTIFY_COMPLETED, &MicroHttpServer::Completed, this, MHD_OPTION_NOTIFY_CONNECTION,
                         &MicroHttpServer::Connected, this, MHD_OPTION_ARRAY, more.data(), MHD_OPTION_END);
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
  static base::Clock::Ticks In(absl::Duration time) {
    return base::Clock::Real().Steady() + absl::ToChronoNanoseconds(time);
  }

  static void Connected(void* self, MHD_Connection* connection, void**, MHD_ConnectionNotificationCode code) {
    auto& server = *static_cast<MicroHttpServer*>(self);
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) return server.times_.Close(connection);
    const MHD_ConnectionInfo* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info != nullptr) server.times_.Open(connection, info->connect_fd, In(server.options_.head_time));
  }

  // The request line has come: the only place where it is whole and not decoded.
  static void* Arrive(void* self, const char* uri, MHD_Connection* connection) {
    auto& server = *static_cast<MicroHttpServer*>(self);
    base::MutexLock lock(server.mutex_);
    const uint64_t number = ++server.last_number_;
    auto exchange = std::make_shared<HttpExchange>(number, connection, server.watch_);
    exchange->uri = uri;
    HttpExchange* const raw = exchange.get();
    server.exchanges_[number] = std::move(exchange);
    return raw;
  }

  static void Completed(void* self, MHD_Connection* connection, void** state, MHD_RequestTerminationCode) {
    auto* const raw = static_cast<HttpExchange*>(*state);
    if (raw == nullptr) return;
    *state = nullptr;
    raw->MarkOver();
    if (raw->call != nullptr) raw->call->Gone();
    raw->call.reset();
    auto& server = *static_cast<MicroHttpServer*>(self);
    server.times_.Set(connection, In(server.options_.head_time));
    base::MutexLock lock(server.mutex_);
    server.exchanges_.erase(raw->number());
  }

  void CallerGone(uint64_t number) {
    if (const auto exchange = Find(number); exchange != nullptr) exchange->MarkGone();
  }

  std::shared_ptr<HttpExchange> Find(uint64_t number) {
    base::MutexLock lock(mutex_);
    const auto found = exchanges_.find(number);
    return found == exchanges_.end() ? nullptr : found->second;
  }

  MHD_Result Send(HttpExchange* exchange, HttpReply reply) {
    handler_.Complete(exchange->head, &reply);
    const auto headers = std::move(reply.headers);
    const std::string type = reply.content_type;
    const bool may_be_cached = reply.may_be_cached;
    const auto code = static_cast<unsigned>(reply.code);
    // A stream ends when it ends; who takes nothing of it is closed after kTimeoutSeconds.
    const size_t size = reply.shared_body != nullptr ? reply.shared_body->size() : reply.body.size();
    const absl::Duration time = options_.body_time + absl::Seconds(static_cast<int64_t>(size) / options_.reply_rate);
    times_.Set(exchange->connection(), reply.stream != nullptr ? ConnectionTimes::kNever : In(time));
    MHD_Response* response = MakeResponse(std::move(reply), exchange);
    if (response == nullptr) return MHD_NO;
    const auto destroy = absl::MakeCleanup([response] { MHD_destroy_response(response); });
    if (!type.empty()) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type.c_str());
    if (!may_be_cached) MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : headers) MHD_add_response_header(response, name.c_str(), value.c_str());
    return MHD_queue_response(exchange->connection(), code, response);
  }

  MHD_Result Begin(HttpExchange* exchange, const char* method) {
    exchange->begun = true;
    exchange->body_until = In(options_.body_time);
    times_.Set(exchange->connection(), exchange->body_until);
    HttpHead& head = exchange->head;
    head.method = method;
    const size_t question = exchange->uri.find('?');
    head.path = exchange->uri.substr(0, question);
    if (question != std::string::npos) head.query = exchange->uri.substr(question + 1);
    head.connection = exchange->connection();
    MHD_get_connection_values_n(exchange->connection(), MHD_HEADER_KIND, &AddHeader, &head.headers);
    const MHD_ConnectionInfo* info =
        MHD_get_connection_info(exchange->connection(), MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    head.peer = PeerName(info == nullptr ? nullptr : info->client_addr);
    if (options_.tls != nullptr) {
      info = MHD_get_connection_info(exchange->connection(), MHD_CONNECTION_INFO_GNUTLS_SESSION);
      if (info != nullptr) head.certificate = HttpTls::CallerName(static_cast<gnutls_session_t>(info->tls_session));
    }
    const std::weak_ptr<HttpExchange> weak = Find(exchange->number());
    auto begun = handler_.Begin(head, [weak] {
      if (const auto locked = weak.lock()) locked->Wake();
    });
    if (auto* call = std::get_if<std::shared_ptr<HttpCall>>(&begun)) {
      exchange->call = std::move(*call);
      if (exchange->call->HasOwnPace()) times_.Set(exchange->connection(), ConnectionTimes::kNever);
      return MHD_YES;
    }
    auto& reply = std::get<HttpReply>(begun);
    uint64_t length = 0;
    const bool large = absl::SimpleAtoi(head.Header("content-length"), &length) && length > kUnwantedBody;
    // Nobody knows where the body of a request ends that is not understood.
    const bool closes = std::any_of(reply.headers.begin(), reply.headers.end(),
                                    [](const auto& header) { return header.first == "Connection"; });
    if (large || closes || !head.Header("expect").empty()) return Send(exchange, std::move(reply));
    // Once a body has been read the connection can be used again.
    exchange->refusal = std::move(reply);
    return MHD_YES;
  }

  MHD_Result TakeBody(HttpExchange* exchange, const char* data, size_t* size) {
    const bool hurries = exchange->call == nullptr || !exchange->call->HasOwnPace();
    if (exchange->gone() || (hurries && base::Clock::Real().Steady() > exchange->body_until)) return MHD_NO;
    if (exchange->call == nullptr) {
      exchange->unwanted += *size;
      *size = 0;
      return exchange->unwanted > kUnwantedBody ? MHD_NO : MHD_YES;
    }
    while (!exchange->gone()) {
      switch (exchange->call->Take(absl::string_view(data, *size))) {
        case HttpCall::Taken::kYes: *size = 0; return MHD_YES;
        case HttpCall::Taken::kNever: return MHD_NO;
        case HttpCall::Taken::kLater: break;
      }
      if (exchange->Suspend()) return MHD_YES;
    }
    return MHD_NO;
  }

  static MHD_Result Handle(void* self, MHD_Connection*, const char*, const char* method, const char*, const char* data,
                           size_t* size, void** state) {
    auto& server = *static_cast<MicroHttpServer*>(self);
    auto* const exchange = static_cast<HttpExchange*>(*state);
    if (exchange == nullptr || server.stopping_) return MHD_NO;
    if (!exchange->begun) return server.Begin(exchange, method);
    if (*size != 0) return server.TakeBody(exchange, data, size);
    if (exchange->call == nullptr) {
      return exchange->refusal.has_value() ? server.Send(exchange, *std::exchange(exchange->refusal, {})) : MHD_NO;
    }
    if (!exchange->ended) {
      exchange->ended = true;
      server.times_.Set(exchange->connection(), ConnectionTimes::kNever);  // it is the server that takes its time now
      exchange->call->End();
    }
    while (!exchange->gone()) {
      if (std::optional<HttpReply> reply = exchange->call->TakeReply(); reply.has_value()) {
        return server.Send(exchange, *std::move(reply));
      }
      if (exchange->Suspend()) return MHD_YES;
    }
    return MHD_NO;
  }

  const Options options_;
  HttpHandler& handler_;
  std::atomic<bool> stopping_ = false;
  base::Mutex mutex_;
  std::map<uint64_t, std::shared_ptr<HttpExchange>> exchanges_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
  ConnectionTimes times_;
  MHD_Daemon* daemon_ = nullptr;
  int port_ = 0;
  CallerWatch watch_;  // last: its thread uses all of the above
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const Options& options, HttpHandler* handler) {
  auto server = std::make_unique<MicroHttpServer>(options, handler);
  SIGHTLINE_RETURN_IF_ERROR(server->Listen());
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace sightline::server
