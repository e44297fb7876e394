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

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/log.h"
#include "server/limits.h"
#include "server/model_hub.h"

namespace sightline::server {

// Where codecs run.
enum class DecodeIsolation {
  kProcess,  // in helper processes without rights
  kNone,     // in the server
};

struct ServerOptions {
  std::string data_dir;
  std::string listen;
  std::string http_listen;
  std::string admin_listen;
  std::string port_file;  // empty: none is written
  std::string model_root;
  std::vector<std::string> models;       // the first is the default one; empty: descriptors only
  std::vector<std::string> int8_models;  // those that compute in int8; "all": every one
  bool allow_untrained = false;
  int grpc_threads = 1;
  int search_threads = 2;
  int decode_threads = 2;
  DecodeIsolation decode_isolation = DecodeIsolation::kProcess;
  std::string decoder_program;  // empty: beside the server's
  absl::Duration decode_timeout = absl::Seconds(2);
  int intra_op_threads = 0;  // 0: all cores
  WarmUp warm_up = WarmUp::kAll;
  absl::Duration warm_up_budget = absl::Seconds(2);
  base::Severity log_level = base::Severity::kInfo;
  Limits limits;
};

// Reads file, environment and flags, in this order.
absl::StatusOr<ServerOptions> ParseOptions(int argc, char** argv);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_OPTIONS_H_
