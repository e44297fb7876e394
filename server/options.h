// ServerOptions: everything an operator decides.
//
// Each setting has one name. It is a flag (`--max_batch=16`), an environment variable (`SIGHTLINE_MAX_BATCH=16`) and a
// line of the file given by `--config` (`max_batch = 16`, `#` starts a comment); a flag wins over the environment, the
// environment over the file, the file over the default.
//
// Threading: parse once, at start. Failure: INVALID_ARGUMENT that names the setting, its value and what is allowed; an
// unknown flag ends the process with a sentence (absl::flags does).
#ifndef SIGHTLINE_SERVER_OPTIONS_H_
#define SIGHTLINE_SERVER_OPTIONS_H_

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "server/index_card.h"
#include "server/limits.h"
#include "server/model_hub.h"
#include "server/placement.h"
#include "server/rpc/connections.h"
#include "server/security/address_warnings.h"
#include "server/security/security.h"

namespace sightline::server {

// Where codecs run.
enum class DecodeIsolation {
  kProcess,  // in helper processes without rights
  kNone,     // in the server
};

// What is printed instead of serving.
enum class Help {
  kNone,
  kFlags,    // --help
  kManPage,  // --help=man
};

struct ServerOptions {
  Help help = Help::kNone;  // otherwise nothing else is set
  std::string data_dir;
  std::string listen;
  std::string admin_grpc_listen;  // empty: administrators call the main address
  std::string http_listen;
  std::vector<std::string> http_allow_origin;           // whose pages may use the HTTP address
  std::vector<std::string> http_hosts;                  // names it is called by
  absl::Duration http_body_timeout = absl::Minutes(2);  // for a body, from its first byte to its last
  std::string admin_listen;
  std::string port_file;  // empty: none is written
  std::string model_root;
  std::vector<std::string> models;       // the first is the default one; empty: descriptors only
  std::vector<std::string> int8_models;  // those that compute in int8; "all": every one
  std::string device = "cpu";            // where models compute, as the operator says it
  // What the program makes of it: it alone can ask LibTorch for cards.
  std::vector<model::Device> devices = {model::Device{}};
  bool allow_untrained = false;
  int grpc_threads = 1;
  int search_threads = 2;
  int decode_threads = 2;
  DecodeIsolation decode_isolation = DecodeIsolation::kProcess;
  std::string decoder_program;  // empty: beside the server's
  int intra_op_threads = 0;     // 0: all cores
  IndexCardOptions index_card;
  WarmUp warm_up = WarmUp::kAll;
  absl::Duration warm_up_budget = absl::Seconds(2);
  bool low_memory = false;  // as little memory as possible
  bool recovery = false;    // for what is left after damage; low_memory is set too
  bool doctor = false;      // check everything and end
  SecurityOptions security;
  Connections connections;
  absl::Duration stream_idle = absl::Minutes(15);
  base::Severity log_level = base::Severity::kInfo;
  absl::Duration slow_request = absl::Seconds(1);  // 0: no request is slow
  int log_lines_per_second = 10;                   // of slow requests, and of failures
  int metrics_collections = 100;                   // with series of their own
  // Settings that are not the default, with their values; what is secret is left out.
  std::vector<std::pair<std::string, std::string>> changed;
  Limits limits;
};

// The settings that change while the server runs; the others need a restart.
inline constexpr std::array kLiveSettings = {absl::string_view("drain_grace"), absl::string_view("log_level"),
                                             absl::string_view("memory_budget"), absl::string_view("models")};

// How models are loaded. Where no device was named, the CPU stands in for cards.
Placement PlacementOf(const ServerOptions& options);

// The addresses as their warnings need them.
Listening ListeningOf(const ServerOptions& options);

// Reads file, environment and flags, in this order.
absl::StatusOr<ServerOptions> ParseOptions(int argc, char** argv);

struct ReloadedOptions {
  struct Setting {
    std::string name;
    std::string value;
  };
  ServerOptions options;
  std::vector<Setting> changed;        // of kLiveSettings, since ParseOptions or the last reload
  std::vector<Setting> needs_restart;  // others, that are not what the server was started with
};

// After ParseOptions: reads file and environment again. What the flags of the command line set stays. An error changes
// nothing.
absl::StatusOr<ReloadedOptions> ReloadOptions();

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_OPTIONS_H_
