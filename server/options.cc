#include "server/options.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "base/version.h"
#include "index/rerank/card_transport.h"
#include "server/http/address.h"
#include "server/http/origin.h"
#include "server/settings.h"

namespace sightline::server {

std::string AbslUnparseFlag(WarmUp warm_up);
std::string AbslUnparseFlag(DecodeIsolation isolation);

bool AbslParseFlag(absl::string_view text, CardChoice* choice, std::string* error) {
  if (text == "cpu" || text == "none") {
    *choice = {.kind = CardChoice::Kind::kCpu};
    return true;
  }
  if (text == "auto") {
    *choice = {.kind = CardChoice::Kind::kAuto};
    return true;
  }
  constexpr int kMostCards = 1024;
  absl::string_view number = text;
  int card = 0;
  if (absl::ConsumePrefix(&number, "cuda:") && !number.empty() &&
      absl::ascii_isdigit(static_cast<unsigned char>(number[0])) && absl::SimpleAtoi(number, &card) &&
      card < kMostCards) {
    *choice = {.kind = CardChoice::Kind::kCard, .card = card};
    return true;
  }
  *error = "write cpu, auto, or cuda:N with the number of a card, such as cuda:0";
  return false;
}

std::string AbslUnparseFlag(CardChoice choice) {
  switch (choice.kind) {
    case CardChoice::Kind::kCpu: return "cpu";
    case CardChoice::Kind::kAuto: return "auto";
    case CardChoice::Kind::kCard: return absl::StrCat("cuda:", choice.card);
  }
  return "cpu";
}

// A number of bytes as people write it.
struct ByteCount {
  int64_t bytes = 0;
};

bool AbslParseFlag(absl::string_view text, ByteCount* count, std::string* error) {
  constexpr absl::string_view kUnits = "KMGT";
  absl::string_view digits = text;
  int shift = 0;
  if (!digits.empty()) {
    const size_t unit = kUnits.find(absl::ascii_toupper(static_cast<unsigned char>(digits.back())));
    if (unit != absl::string_view::npos) {
      shift = 10 * (static_cast<int>(unit) + 1);
      digits.remove_suffix(1);
    }
  }
  // Room for every suffix, and far above any machine.
  constexpr int64_t kMost = int64_t{1} << 50;
  int64_t number = 0;
  if (!digits.empty() && absl::ascii_isdigit(static_cast<unsigned char>(digits[0])) &&
      absl::SimpleAtoi(digits, &number) && number <= kMost >> shift) {
    count->bytes = number << shift;
    return true;
  }
  *error = "write a whole number of bytes, or one with K, M, G or T behind it, such as 12G; at most 1024T";
  return false;
}

std::string AbslUnparseFlag(ByteCount count) { return absl::StrCat(count.bytes); }

bool AbslParseFlag(absl::string_view text, WarmUp* warm_up, std::string* error) {
  for (const WarmUp known : {WarmUp::kAll, WarmUp::kOne, WarmUp::kNone}) {
    if (text == AbslUnparseFlag(known)) {
      *warm_up = known;
      return true;
    }
  }
  *error = "write all, one or none";
  return false;
}

std::string AbslUnparseFlag(WarmUp warm_up) {
  switch (warm_up) {
    case WarmUp::kAll: return "all";
    case WarmUp::kOne: return "one";
    case WarmUp::kNone: return "none";
  }
  return "all";
}

bool AbslParseFlag(absl::string_view text, DecodeIsolation* isolation, std::string* error) {
  for (const DecodeIsolation known : {DecodeIsolation::kProcess, DecodeIsolation::kNone}) {
    if (text == AbslUnparseFlag(known)) {
      *isolation = known;
      return true;
    }
  }
  *error = "write process or none";
  return false;
}

std::string AbslUnparseFlag(DecodeIsolation isolation) {
  return isolation == DecodeIsolation::kNone ? "none" : "process";
}

}  // namespace sightline::server

ABSL_FLAG(std::string, config, "", "file of settings, one `name = value` a line");
ABSL_FLAG(std::string, data_dir, "sightline-data", "where collections are kept; created when missing");
ABSL_FLAG(std::string, listen, "127.0.0.1:50051", "gRPC address; port 0 picks a free one");
ABSL_FLAG(std::string, admin_grpc_listen, "",
          "gRPC address of administrators' methods, which the main address then refuses; empty: all on the main one");
ABSL_FLAG(std::string, http_listen, "127.0.0.1:8080",
          "HTTP address of the console, the API as JSON, /healthz and /readyz; empty for none");
ABSL_FLAG(
    std::vector<std::string>, http_allow_origin, {},
    "origins whose web pages may use the HTTP address, such as https://photos.example.org; none: the console's own");
ABSL_FLAG(
    std::vector<std::string>, http_hosts, {},
    "names the HTTP address is called by, where there are no keys; addresses, and names that only a local network "
    "knows, need not be named");
ABSL_FLAG(absl::Duration, http_body_timeout, absl::Minutes(2),
          "how long the body of an HTTP request may take to come, and its answer to be taken; streams may take longer");
ABSL_FLAG(std::string, admin_listen, "127.0.0.1:9464", "HTTP address of /metrics and /statusz; empty for none");
ABSL_FLAG(std::string, api_keys, "",
          "JSON file of the keys that callers must show; empty: everybody may do everything");
ABSL_FLAG(std::string, audit_log, "",
          "file that gets a JSON line for each call that writes, administers or is refused; - for standard error");
ABSL_FLAG(std::string, tls_cert, "",
          "PEM file: the certificate of the gRPC and HTTP addresses and its chain; empty: no TLS");
ABSL_FLAG(std::string, tls_key, "", "PEM file: the private key of --tls_cert");
ABSL_FLAG(std::string, tls_client_ca, "",
          "PEM file: who signs clients' certificates; given, every client must show one");
ABSL_FLAG(std::string, port_file, "", "write the ports bound to this file, as JSON, once the server is ready");
ABSL_FLAG(std::string, model_root, "model/zoo", "folder of model directories");
ABSL_FLAG(std::vector<std::string>, models, {}, "models to load, the default one first; none: descriptors only");
ABSL_FLAG(std::vector<std::string>, int8_models, {},
          "models that compute in int8 on a CPU that has AVX-512 VNNI, or `all`; see `sightline-train calibrate`");
ABSL_FLAG(std::string, device, "auto",
          "where models compute: cpu, cuda:N, several cards with commas between them, or auto: every card there is, "
          "or the CPU where there is none or none works");
ABSL_FLAG(bool, allow_untrained, false, "let a model without weights run from a seeded initialisation, for trials");
ABSL_FLAG(int, grpc_threads, 1, "completion-queue threads; one is fastest on small machines");
ABSL_FLAG(int, search_threads, 2, "requests that are searched or read from disk at once");
ABSL_FLAG(int, search_parallelism, 2, "threads that share one large search");
ABSL_FLAG(int, build_threads, 1, "threads that seal, merge and build indexes, at low priority");
ABSL_FLAG(sightline::server::ByteCount, memory_budget, {},
          "memory of all collections, in bytes or as 12G; beyond it writes are refused; 0 for no limit");
ABSL_FLAG(
    sightline::server::CardChoice, index_device, {},
    "where exact searches and re-ranking are done: cpu, cuda:N (this graphics card, or the server does not start) "
    "or auto (the first card, if there is one)");
ABSL_FLAG(sightline::server::ByteCount, index_device_memory, {},
          "memory of that card for descriptors, in bytes or as 40G; others are compared on the CPU; 0 for half of the "
          "card's");
ABSL_FLAG(sightline::server::ByteCount, rerank_device_memory, {int64_t{1} << 30},
          "memory of that card for re-ranking, in bytes or as 4G; 0 leaves re-ranking on the CPU");
ABSL_FLAG(sightline::server::ByteCount, grpc_memory, {},
          "memory of messages on their way in and replies on their way out, in bytes or as 512M; 0 for a quarter of "
          "--memory_budget, or 512M without one");
ABSL_FLAG(int, max_connections, 10'000, "gRPC connections open at once; more are closed at once");
ABSL_FLAG(int, max_connections_per_address, 0,
          "of one IPv4 address, or one /64 network of IPv6; 0 for half of --max_connections");
ABSL_FLAG(absl::Duration, connection_handshake, absl::Seconds(20), "how long a new connection may take to say hello");
ABSL_FLAG(
    absl::Duration, connection_keepalive, absl::Seconds(60),
    "a connection without traffic is asked for a sign of life after this long, and closed 20 s later without one");
ABSL_FLAG(absl::Duration, connection_age, absl::Minutes(30),
          "a connection is closed after this long, 5 minutes later with calls under way; clients connect again");
ABSL_FLAG(absl::Duration, connection_idle, absl::Minutes(15), "a connection without calls is closed after this long");
ABSL_FLAG(absl::Duration, stream_idle, absl::Minutes(15),
          "a stream whose caller neither sends nor reads is ended after this long");
ABSL_FLAG(int, decode_threads, 2, "images that are decoded at once, each in a helper process of its own");
ABSL_FLAG(sightline::server::DecodeIsolation, decode_isolation, sightline::server::DecodeIsolation::kProcess,
          "where image codecs run: process (helpers without rights; a crash costs one image) or none (in the server)");
ABSL_FLAG(std::string, decoder_program, "", "the helpers' program; empty: sightline-decoder beside the server's");
ABSL_FLAG(sightline::server::ByteCount, decode_memory, {int64_t{1} << 30},
          "memory of all images that are being decoded, in bytes or as 1G; images that do not fit wait");
ABSL_FLAG(absl::Duration, decode_timeout, absl::Seconds(2), "processor time a helper may spend on one image");
ABSL_FLAG(int, intra_op_threads, 0,
          "threads inside one run of a model; 0 for all cores. Models run at once as far as cores reach");
ABSL_FLAG(sightline::server::WarmUp, warm_up, sightline::server::WarmUp::kAll,
          "what a model runs before it is ready: all (an image of every size), one (the smallest) or none");
ABSL_FLAG(absl::Duration, warm_up_budget, absl::Seconds(2),
          "with --warm_up=all: sizes that would take longer than this together are left out; 0 for no limit");
ABSL_FLAG(
    bool, low_memory, false,
    "start with as little memory as possible: no graphs, codes read from disk, small caches; searches are slower");
ABSL_FLAG(
    bool, recovery, false,
    "start without models and without writing, except for deletes; damaged collections are read as far as possible");
ABSL_FLAG(bool, doctor, false, "check machine, settings, models and data, print a table, and end; writes nothing");
ABSL_FLAG(int, max_models, 8, "models loaded at once; more are refused");
ABSL_FLAG(std::string, log_level, "info", "debug, info, warning, error or off");
ABSL_FLAG(absl::Duration, slow_request, absl::Seconds(1),
          "requests that take as long are logged with the time of every stage; 0 for none");
ABSL_FLAG(int, log_lines_per_second, 10,
          "lines of slow requests, and of failures, that the log takes in a second; the rest are counted");
ABSL_FLAG(int, metrics_collections, 100, "collections with series of their own in /metrics; others share `_other`");
ABSL_FLAG(int, max_message_bytes, 40 << 20, "largest gRPC message, bytes");
ABSL_FLAG(int64_t, max_image_bytes, 16 << 20, "largest encoded image, bytes");
ABSL_FLAG(int64_t, max_pixels, 50'000'000, "most pixels of an image");
ABSL_FLAG(int, max_image_side, 16'384, "longest side of an image, pixels");
ABSL_FLAG(int, max_in_flight, 1024, "requests in hand at once; more are refused");
ABSL_FLAG(int, max_stream_in_flight, 64, "requests of one stream in hand at once; more wait");
ABSL_FLAG(int, max_queue, 256, "images waiting for a model, of searches and of streams each; more are refused");
ABSL_FLAG(int, max_batch, 8, "images in one batch");
ABSL_FLAG(absl::Duration, max_batch_delay, absl::Milliseconds(2), "how long a batch of a busy model waits to be full");
ABSL_FLAG(absl::Duration, max_queue_delay, absl::Milliseconds(250),
          "an interactive request that would wait longer than this for a thread or a model is refused; one full batch "
          "may always wait");
ABSL_FLAG(absl::Duration, default_deadline, absl::Seconds(60), "deadline of a request that brings none");
ABSL_FLAG(absl::Duration, drain_grace, absl::Seconds(30), "how long requests in hand may take to end after SIGTERM");

namespace sightline::server {
namespace {

// gRPC takes milliseconds in 32 bits.
constexpr absl::Duration kLongestConnection = absl::Hours(24 * 20);

// As absl's flags: one for the process.
std::optional<SettingSources>& Sources() {
  static std::optional<SettingSources> sources;
  return sources;
}

// What the server runs with: what it was started with, and since then what changes while it runs.
std::map<std::string, std::string>& InForce() {
  static std::map<std::string, std::string> values;
  return values;
}

// Takes the wish for help out of the arguments.
Help TakeHelp(std::vector<char*>* arguments) {
  Help help = Help::kNone;
  std::erase_if(*arguments, [&](absl::string_view argument) {
    const bool flags = argument == "--help" || argument == "-help";
    const bool page = argument == "--help=man";
    if (flags || page) help = page ? Help::kManPage : Help::kFlags;
    return flags || page;
  });
  return help;
}

template <typename T>
absl::Status CheckSetting(const char* name, T value, T low, T high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return base::InvalidArgument(
      "SETTING_OUT_OF_RANGE",
      absl::StrCat("--", name, " is ", value, "; it must be ", low, " to ", high, ". Correct it."),
      {{"field", name}, {"actual", absl::StrCat(value)}, {"limit", absl::StrCat(high)}});
}

absl::Status CheckDuration(const char* name, absl::Duration value, absl::Duration high,
                           absl::Duration low = absl::ZeroDuration()) {
  if (value >= low && value <= high) return absl::OkStatus();
  return base::InvalidArgument(
      "SETTING_OUT_OF_RANGE",
      absl::StrCat("--", name, " is ", absl::FormatDuration(value), "; it must be ", absl::FormatDuration(low), " to ",
                   absl::FormatDuration(high), ". Correct it."),
      {{"field", name}, {"actual", absl::FormatDuration(value)}, {"limit", absl::FormatDuration(high)}});
}

// Of a card, where 0 has a meaning of its own.
absl::Status CheckCardMemory(const char* name, int64_t bytes) {
  constexpr auto kLeast = static_cast<int64_t>(index::rerank::kLeastTransportBytes);
  if (bytes == 0 || bytes >= kLeast) return absl::OkStatus();
  return base::InvalidArgument(
      "SETTING_OUT_OF_RANGE",
      absl::StrCat("--", name, " is ", bytes, "; it must be 0, or ", kLeast, " or more. Correct it."),
      {{"field", name}, {"actual", absl::StrCat(bytes)}, {"limit", absl::StrCat(kLeast)}});
}

// Half of the settings must not pass for all of them: a server without TLS, or one that asks no client for anything.
absl::Status CheckTls(const TlsPaths& tls) {
  const auto refuse = [](const char* given, const char* missing) {
    return base::InvalidArgument("SETTING_MISSING",
                                 absl::StrCat("--", given, " is given and --", missing, " is not. Give both, or none."),
                                 {{"field", missing}});
  };
  if (tls.certificate.empty() && !tls.key.empty()) return refuse("tls_key", "tls_cert");
  if (tls.key.empty() && !tls.certificate.empty()) return refuse("tls_cert", "tls_key");
  if (tls.certificate.empty() && !tls.client_authorities.empty()) return refuse("tls_client_ca", "tls_cert");
  return absl::OkStatus();
}

// A quarter of the budget, and enough for a few of the largest messages.
int64_t GrpcMemory(int64_t wanted, const Limits& limits) {
  if (wanted > 0) return wanted;
  if (limits.memory_budget_bytes == 0) return Limits().grpc_memory_bytes;
  return std::max(limits.memory_budget_bytes / 4, int64_t{4} * limits.max_message_bytes);
}

absl::Status Check(const ServerOptions& options) {
  const Limits& limits = options.limits;
  for (const std::string* address :
       {&options.listen, &options.admin_grpc_listen, &options.http_listen, &options.admin_listen}) {
    const bool none = address->empty() && address != &options.listen;
    if (!none) SIGHTLINE_RETURN_IF_ERROR(ParseHostPort(*address).status());
  }
  for (const std::string& origin : options.http_allow_origin) SIGHTLINE_RETURN_IF_ERROR(CheckOriginSetting(origin));
  SIGHTLINE_RETURN_IF_ERROR(
      CheckDuration("http_body_timeout", options.http_body_timeout, absl::Hours(1), absl::Seconds(1)));
  SIGHTLINE_RETURN_IF_ERROR(CheckTls(options.security.tls));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("grpc_threads", options.grpc_threads, 1, 64));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("search_threads", options.search_threads, 1, 1024));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("search_parallelism", limits.search_parallelism, 1, 1024));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("build_threads", limits.build_threads, 1, 1024));
  SIGHTLINE_RETURN_IF_ERROR(CheckCardMemory("index_device_memory", options.index_card.row_bytes));
  SIGHTLINE_RETURN_IF_ERROR(CheckCardMemory("rerank_device_memory", options.index_card.token_bytes));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("decode_threads", options.decode_threads, 1, 1024));
  SIGHTLINE_RETURN_IF_ERROR(
      CheckSetting("decode_memory", limits.decode_memory_bytes, int64_t{64} << 20, int64_t{1} << 50));
  SIGHTLINE_RETURN_IF_ERROR(
      CheckDuration("decode_timeout", limits.decode_timeout, absl::Minutes(10), absl::Milliseconds(100)));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("intra_op_threads", options.intra_op_threads, 0, 1024));
  SIGHTLINE_RETURN_IF_ERROR(CheckDuration("warm_up_budget", options.warm_up_budget, absl::Hours(1)));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("max_models", limits.max_models, 1, 1024));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("max_message_bytes", limits.max_message_bytes, 1 << 16, 1 << 30));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting<int64_t>("max_image_bytes", limits.image.max_encoded_bytes, 1024, 1 << 30));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting<int64_t>("max_pixels", limits.image.max_pixels, 1, 1 << 30));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("max_image_side", limits.image.max_side, 1, 65'535));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("max_connections", limits.max_connections, 1, 1 << 20));
  SIGHTLINE_RETURN_IF_ERROR(
      CheckSetting("max_connections_per_address", limits.max_connections_per_address, 1, limits.max_connections));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("max_in_flight", limits.max_in_flight, 1, 1 << 20));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("max_stream_in_flight", limits.max_stream_in_flight, 1, 1 << 16));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("max_queue", limits.max_queue, 1, 1 << 20));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("max_batch", limits.max_batch, 1, 1024));
  SIGHTLINE_RETURN_IF_ERROR(CheckDuration("max_batch_delay", limits.max_batch_delay, absl::Seconds(10)));
  const Connections& connections = options.connections;
  for (const auto& [name, value] : {std::pair("connection_handshake", connections.handshake),
                                    {"connection_keepalive", connections.keepalive},
                                    {"connection_age", connections.age},
                                    {"connection_idle", connections.idle},
                                    {"stream_idle", options.stream_idle}}) {
    SIGHTLINE_RETURN_IF_ERROR(CheckDuration(name, value, kLongestConnection, absl::Milliseconds(100)));
  }
  // Below the largest message a single caller could not be served.
  SIGHTLINE_RETURN_IF_ERROR(
      CheckSetting<int64_t>("grpc_memory", limits.grpc_memory_bytes, limits.max_message_bytes, int64_t{1} << 50));
  SIGHTLINE_RETURN_IF_ERROR(CheckDuration("max_queue_delay", limits.max_queue_delay, absl::Hours(1)));
  SIGHTLINE_RETURN_IF_ERROR(CheckDuration("default_deadline", limits.default_deadline, limits.max_deadline));
  SIGHTLINE_RETURN_IF_ERROR(CheckDuration("slow_request", options.slow_request, absl::Hours(1)));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("log_lines_per_second", options.log_lines_per_second, 0, 10'000));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("metrics_collections", options.metrics_collections, 0, 10'000));
  return CheckDuration("drain_grace", limits.drain_grace, absl::Hours(1));
}

absl::StatusOr<ServerOptions> FromFlags() {
  ServerOptions options;
  options.data_dir = absl::GetFlag(FLAGS_data_dir);
  options.listen = absl::GetFlag(FLAGS_listen);
  options.admin_grpc_listen = absl::GetFlag(FLAGS_admin_grpc_listen);
  options.http_listen = absl::GetFlag(FLAGS_http_listen);
  for (const std::string& origin : absl::GetFlag(FLAGS_http_allow_origin)) {
    if (!origin.empty()) options.http_allow_origin.push_back(origin);
  }
  for (const std::string& host : absl::GetFlag(FLAGS_http_hosts)) {
    if (!host.empty()) options.http_hosts.push_back(absl::AsciiStrToLower(host));
  }
  options.http_body_timeout = absl::GetFlag(FLAGS_http_body_timeout);
  options.admin_listen = absl::GetFlag(FLAGS_admin_listen);
  options.security.api_keys = absl::GetFlag(FLAGS_api_keys);
  options.security.audit_log = absl::GetFlag(FLAGS_audit_log);
  options.security.tls.certificate = absl::GetFlag(FLAGS_tls_cert);
  options.security.tls.key = absl::GetFlag(FLAGS_tls_key);
  options.security.tls.client_authorities = absl::GetFlag(FLAGS_tls_client_ca);
  options.port_file = absl::GetFlag(FLAGS_port_file);
  options.model_root = absl::GetFlag(FLAGS_model_root);
  for (const std::string& name : absl::GetFlag(FLAGS_models)) {
    if (!name.empty()) options.models.push_back(name);
  }
  options.int8_models = absl::GetFlag(FLAGS_int8_models);
  options.device = absl::GetFlag(FLAGS_device);
  options.allow_untrained = absl::GetFlag(FLAGS_allow_untrained);
  options.grpc_threads = absl::GetFlag(FLAGS_grpc_threads);
  options.search_threads = absl::GetFlag(FLAGS_search_threads);
  options.decode_threads = absl::GetFlag(FLAGS_decode_threads);
  options.decode_isolation = absl::GetFlag(FLAGS_decode_isolation);
  options.decoder_program = absl::GetFlag(FLAGS_decoder_program);
  options.intra_op_threads = absl::GetFlag(FLAGS_intra_op_threads);
  options.index_card = {.choice = absl::GetFlag(FLAGS_index_device),
                        .row_bytes = absl::GetFlag(FLAGS_index_device_memory).bytes,
                        .token_bytes = absl::GetFlag(FLAGS_rerank_device_memory).bytes};
  options.warm_up = absl::GetFlag(FLAGS_warm_up);
  options.warm_up_budget = absl::GetFlag(FLAGS_warm_up_budget);
  options.recovery = absl::GetFlag(FLAGS_recovery);
  options.low_memory = absl::GetFlag(FLAGS_low_memory) || options.recovery;
  options.doctor = absl::GetFlag(FLAGS_doctor);
  options.connections = {.handshake = absl::GetFlag(FLAGS_connection_handshake),
                         .keepalive = absl::GetFlag(FLAGS_connection_keepalive),
                         .age = absl::GetFlag(FLAGS_connection_age),
                         .idle = absl::GetFlag(FLAGS_connection_idle)};
  options.stream_idle = absl::GetFlag(FLAGS_stream_idle);
  SIGHTLINE_ASSIGN_OR_RETURN(options.log_level, base::ParseSeverity(absl::GetFlag(FLAGS_log_level)));
  options.slow_request = absl::GetFlag(FLAGS_slow_request);
  options.log_lines_per_second = absl::GetFlag(FLAGS_log_lines_per_second);
  options.metrics_collections = absl::GetFlag(FLAGS_metrics_collections);
  options.changed = SettingSources::Changed();
  Limits& limits = options.limits;
  limits.search_parallelism = absl::GetFlag(FLAGS_search_parallelism);
  limits.max_models = absl::GetFlag(FLAGS_max_models);
  limits.decode_timeout = absl::GetFlag(FLAGS_decode_timeout);
  limits.decode_memory_bytes = absl::GetFlag(FLAGS_decode_memory).bytes;
  limits.build_threads = absl::GetFlag(FLAGS_build_threads);
  limits.memory_budget_bytes = absl::GetFlag(FLAGS_memory_budget).bytes;
  limits.max_message_bytes = absl::GetFlag(FLAGS_max_message_bytes);
  limits.grpc_memory_bytes = GrpcMemory(absl::GetFlag(FLAGS_grpc_memory).bytes, limits);
  limits.image.max_encoded_bytes = absl::GetFlag(FLAGS_max_image_bytes);
  limits.record.max_image_bytes = limits.image.max_encoded_bytes;
  limits.image.max_pixels = absl::GetFlag(FLAGS_max_pixels);
  limits.image.max_side = absl::GetFlag(FLAGS_max_image_side);
  limits.max_connections = absl::GetFlag(FLAGS_max_connections);
  limits.max_connections_per_address = absl::GetFlag(FLAGS_max_connections_per_address);
  if (limits.max_connections_per_address == 0) limits.max_connections_per_address = (limits.max_connections + 1) / 2;
  limits.max_in_flight = absl::GetFlag(FLAGS_max_in_flight);
  limits.max_stream_in_flight = absl::GetFlag(FLAGS_max_stream_in_flight);
  limits.max_queue = absl::GetFlag(FLAGS_max_queue);
  limits.max_batch = absl::GetFlag(FLAGS_max_batch);
  limits.max_batch_delay = absl::GetFlag(FLAGS_max_batch_delay);
  limits.max_queue_delay = absl::GetFlag(FLAGS_max_queue_delay);
  limits.default_deadline = absl::GetFlag(FLAGS_default_deadline);
  limits.drain_grace = absl::GetFlag(FLAGS_drain_grace);
  if (options.low_memory) {
    limits.build_threads = 1;
    limits.search_parallelism = 1;
    options.warm_up = WarmUp::kOne;
  }
  if (options.recovery) {
    options.models.clear();
    options.index_card.choice = {};
  }
  SIGHTLINE_RETURN_IF_ERROR(Check(options));
  return options;
}

}  // namespace

Placement PlacementOf(const ServerOptions& options) {
  return {.devices = options.devices,
          .or_cpu = options.device == "auto" && options.devices.front().cuda,
          .int8_models = options.int8_models};
}

Listening ListeningOf(const ServerOptions& options) {
  return {.grpc = options.listen,
          .admin_grpc = options.admin_grpc_listen,
          .http = options.http_listen,
          .admin_http = options.admin_listen,
          .keys = !options.security.api_keys.empty(),
          .tls = !options.security.tls.certificate.empty(),
          .client_certificates = !options.security.tls.client_authorities.empty()};
}

absl::StatusOr<ServerOptions> ParseOptions(int argc, char** argv) {
  // absl's own answer to --help ends the process with 1.
  std::vector<char*> arguments(argv, argv + argc);
  const Help help = TakeHelp(&arguments);
  absl::FlagsUsageConfig usage;
  usage.contains_help_flags = [](absl::string_view file) { return absl::EndsWith(file, "server/options.cc"); };
  usage.contains_helpshort_flags = usage.contains_help_flags;
  usage.version_string = [] { return base::VersionLine("sightline-server"); };
  absl::SetFlagsUsageConfig(usage);

  const int count = static_cast<int>(arguments.size());
  Sources().emplace(count, arguments.data());
  SIGHTLINE_RETURN_IF_ERROR(Sources()->Read());
  const std::vector<char*> rest = absl::ParseCommandLine(count, arguments.data());
  if (rest.size() > 1) {
    return base::InvalidArgument("ARGUMENT_UNKNOWN",
                                 absl::StrCat("'", rest[1], "' is no flag. Flags begin with --; --help lists them."),
                                 {{"actual", rest[1]}});
  }
  // Flags that cannot be read have ended it; whether they fit together is not asked.
  if (help != Help::kNone) {
    ServerOptions options;
    options.help = help;
    return options;
  }
  Sources()->PinCommandLine();
  InForce() = SettingSources::Values();
  return FromFlags();
}

absl::StatusOr<ReloadedOptions> ReloadOptions() {
  SIGHTLINE_RETURN_IF_ERROR(Sources()->ReadAgain());
  ReloadedOptions reloaded;
  SIGHTLINE_ASSIGN_OR_RETURN(reloaded.options, FromFlags());
  for (const auto& [name, value] : SettingSources::Values()) {
    std::string& in_force = InForce()[name];
    if (in_force == value) continue;
    const bool now = std::find(kLiveSettings.begin(), kLiveSettings.end(), name) != kLiveSettings.end();
    (now ? reloaded.changed : reloaded.needs_restart).push_back({name, value});
    if (now) in_force = value;
  }
  return reloaded;
}

}  // namespace sightline::server
