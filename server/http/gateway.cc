#include "server/http/gateway.h"

#include <pthread.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/status.h"
#include "server/http/call_headers.h"
#include "server/http/http_error.h"
#include "server/http/json_call.h"
#include "server/http/json_stream.h"
#include "server/http/origin.h"
#include "server/rpc/gateway_metadata.h"
#include "server/rpc/tag.h"
#include "sightline/v1/collection_service.pb.h"

namespace sightline::server {
namespace {

constexpr size_t kMaxWaiting = 256;  // conversions
// Beside the message itself, which base64 makes a third longer: names of fields, blanks, boundaries.
constexpr int64_t kEnvelope = 1 << 20;

HttpReply RefuseBody(const HttpHead& head, const Route& route, const std::string& type) {
  if (!route.takes_body) {
    return ErrorReply(base::InvalidArgument("BODY_NOT_TAKEN",
                                            absl::StrCat(head.method,
                                                         " takes no body here. Send fields as parameters "
                                                         "of the address, or use POST."),
                                            {{"field", "body"}}));
  }
  return ErrorReply(
      base::InvalidArgument("CONTENT_TYPE_UNKNOWN",
                            absl::StrCat("a body of the type '", absl::string_view(type).substr(0, 80),
                                         "' is not read here. Send application/json or multipart/form-data with a "
                                         "boundary."),
                            {{"field", "Content-Type"}, {"actual", type.substr(0, 80)}}),
      415);
}

// nullopt: a body of that type is not read.
std::optional<JsonStream::Input> StreamInput(const Route& route, const std::string& type, bool has_body) {
  if (!has_body) return route.method->client_streaming() ? JsonStream::Input::kLines : JsonStream::Input::kQuery;
  if (type == "application/json" || type == "application/x-ndjson") return JsonStream::Input::kLines;
  const auto* message = route.method->input_type();
  const bool bytes = type == "application/octet-stream" && message == v1::UploadSnapshotRequest::descriptor();
  return bytes ? std::optional(JsonStream::Input::kBytes) : std::nullopt;
}

JsonStream::Output StreamOutput(const Route& route, const HttpHead& head) {
  if (!route.method->server_streaming()) return JsonStream::Output::kOne;
  if (route.method->output_type() == v1::DownloadSnapshotResponse::descriptor()) return JsonStream::Output::kBytes;
  return absl::StrContains(head.Header("accept"), "text/event-stream") ? JsonStream::Output::kEvents
                                                                       : JsonStream::Output::kLines;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Gateway>> Gateway::Make(const Limits& limits) {
  SIGHTLINE_ASSIGN_OR_RETURN(Routes routes, Routes::Make(ApiServices()));
  // A process that gets no random bytes ends here, and not in its first call.
  GatewaySecret();
  return std::unique_ptr<Gateway>(new Gateway(limits, std::move(routes)));
}

Gateway::Gateway(const Limits& limits, Routes routes)
    : limits_(limits),
      routes_(std::move(routes)),
      max_body_bytes_(int64_t{limits.max_message_bytes} / 3 * 4 + kEnvelope),
      budget_(std::max(limits.grpc_memory_bytes, max_body_bytes_)),
      pool_({.name = "http", .threads = 2, .max_queue = kMaxWaiting, .on_thread_start = {}}) {
  queue_thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "http-queue");
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) static_cast<Tag*>(tag)->Proceed(ok);
  });
}

Gateway::~Gateway() {
  {
    base::MutexLock lock(mutex_);
    while (calls_ > 0) none_left_.Wait(mutex_);
  }
  queue_.Shutdown();
  queue_thread_.join();
}

void Gateway::Connect(std::shared_ptr<grpc::Channel> channel) {
  base::MutexLock lock(mutex_);
  stub_ = std::make_unique<grpc::GenericStub>(std::move(channel));
}

void Gateway::Disconnect() {
  base::MutexLock lock(mutex_);
  ended_ = true;
  stub_.reset();
}

absl::Status Gateway::NotReady() const {
  if (stub_ != nullptr) return absl::OkStatus();
  if (ended_) {
    return base::RetryableError(absl::StatusCode::kUnavailable, "DRAINING",
                                "the server is shutting down. Try again, on another server if there is one.",
                                absl::Seconds(1));
  }
  return base::RetryableError(absl::StatusCode::kUnavailable, "STARTING",
                              "the server is starting. Try again in a moment; /readyz says when it serves.",
                              absl::Seconds(1));
}

absl::Status Gateway::Ready() const {
  base::MutexLock lock(mutex_);
  return NotReady();
}

absl::Status Gateway::Prepare(absl::FunctionRef<void(grpc::GenericStub&)> prepare) {
  base::MutexLock lock(mutex_);
  SIGHTLINE_RETURN_IF_ERROR(NotReady());
  prepare(*stub_);
  return absl::OkStatus();
}

void Gateway::CallBegins() {
  base::MutexLock lock(mutex_);
  ++calls_;
}

void Gateway::CallEnds() {
  base::MutexLock lock(mutex_);
  if (--calls_ == 0) none_left_.NotifyAll();
}

void Gateway::Drain(absl::Duration most) {
  const base::Clock::Ticks deadline = base::Clock::Real().Steady() + absl::ToChronoNanoseconds(most);
  base::MutexLock lock(mutex_);
  while (calls_ > 0 && none_left_.WaitUntil(mutex_, deadline)) {
  }
}

std::variant<HttpReply, std::shared_ptr<HttpCall>> Gateway::Begin(const HttpHead& head, Waker wake) {
  std::vector<std::string> allow;
  absl::StatusOr<RouteMatch> match = routes_.Find(head.method, head.path, &allow);
  if (!match.ok()) {
    HttpReply reply = ErrorReply(match.status(), allow.empty() ? 0 : 405);
    if (!allow.empty()) reply.headers.emplace_back("Allow", absl::StrJoin(allow, ", "));
    return reply;
  }
  const Route& route = *match->route;
  absl::StatusOr<CallHeaders> headers = ReadCallHeaders(head);
  if (!headers.ok()) return ErrorReply(headers.status());
  const bool chunked = !head.Header("transfer-encoding").empty();
  int64_t length = 0;
  if (!chunked && !head.Header("content-length").empty() &&
      (!absl::SimpleAtoi(head.Header("content-length"), &length) || length < 0)) {
    return ErrorReply(base::InvalidArgument("HEADER_INVALID", "the header Content-Length is no number. Correct it."));
  }
  const bool has_body = chunked || length > 0;
  const std::string type = MediaType(head.Header("content-type"));
  const bool streams = route.method->client_streaming() || route.method->server_streaming();
  const std::optional<JsonStream::Input> input = streams ? StreamInput(route, type, has_body) : std::nullopt;
  std::unique_ptr<Multipart> form;
  if (has_body && !streams && type == "multipart/form-data") form = Multipart::Make(head);
  const bool readable = streams ? input.has_value() : form != nullptr || type == "application/json";
  if (has_body && !(route.takes_body && readable)) return RefuseBody(head, route, type);
  if (!streams && length > max_body_bytes_) return ErrorReply(BodyTooLarge(max_body_bytes_, length), 413);
  if (!streams && budget_.held() + length > budget_.limit()) return ErrorReply(BodiesFull(budget_));
  if (const absl::Status status = Ready(); !status.ok()) return ErrorReply(status);
  if (!streams) {
    return std::make_shared<JsonCall>(*this, *std::move(match), head.query, *std::move(headers), std::move(form),
                                      length, head.Header("if-none-match"), std::move(wake));
  }
  auto call = std::make_shared<JsonStream>(*this, *std::move(match), head.query, *std::move(headers), *input,
                                           StreamOutput(route, head), std::move(wake));
  call->Start();
  return call;
}

}  // namespace sightline::server
