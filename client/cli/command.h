// Command: one verb of the program `sightline`, and what all verbs share.
//
// Threading: a verb runs on the main thread. Ownership: a Context borrows all it names. Failure: a verb writes its
// error to `err`, one line, and returns an exit code.
#ifndef SIGHTLINE_CLIENT_CLI_COMMAND_H_
#define SIGHTLINE_CLIENT_CLI_COMMAND_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "client/cli/args.h"
#include "client/cli/sink.h"
#include "client/cli/table.h"
#include "client/cpp/client.h"

namespace sightline::cli {

// docs/cli.md documents these.
enum ExitCode {
  kOk = 0,
  kError = 1,         // the server refused, cannot be reached, or a file cannot be read
  kNothingFound = 2,  // the request was fine and nothing matches
  kDegraded = 3,      // results, but fewer or worse than asked for
  kPartial = 4,       // some images were not indexed; they are listed
  kUsage = 64,        // flags or operands make no sense
  kInterrupted = 130,
};

struct Context {
  Sink& out;
  Sink& err;
  const base::Clock& clock;
  bool err_is_terminal = false;
  bool err_colour = false;
  TableStyle style = TableStyle::kAligned;      // of listings, on `out`
  int columns = 80;                             // of the terminal
  std::string default_address = {};             // from SIGHTLINE_ADDRESS; empty for the built-in one
  std::string api_key = {};                     // from SIGHTLINE_API_KEY; empty for none
  std::function<bool()> interrupted = nullptr;  // true once Ctrl-C was pressed
  // Asks the person at the terminal; null when there is none.
  std::function<bool(const std::string& question)> confirm = nullptr;
  std::function<void(absl::Duration)> sleep = nullptr;  // null: the system's
};

struct Command {
  std::string name;
  std::string summary;          // for the list of verbs
  std::string operands;         // for the usage line: "DIR|FILE..."
  std::string about;            // what it does, and examples
  std::vector<FlagSpec> flags;  // beside the common ones
  std::function<int(Context&, const Args&)> run;
  std::vector<std::string> actions = {};  // what the first operand may be: list, get ...
  std::vector<std::string> aliases = {};  // further names; help shows the first
  bool hidden = false;                    // for programs, not people: no help lists it
};

// Flags of every verb: those of the connection, --json, --help.
const std::vector<FlagSpec>& CommonFlags();

// A client as --address, --timeout, --tls_ca, --tls_cert, --tls_key and --api_key_file and the environment ask for. The
// key itself is no flag: every user of the machine can read the flags of a running program.
absl::StatusOr<std::unique_ptr<client::Client>> Connect(const Context& context, const Args& args);

// Writes the error, as JSON with --json, and returns its exit code: kNothingFound for a missing image, kError
// otherwise.
int Fail(Context& context, const Args& args, const absl::Status& status);

// Writes a usage error and returns kUsage. `problem` is a sentence.
int Misused(Context& context, const std::string& verb, const std::string& problem);

// The value of --collection, or an error that says it is missing.
absl::StatusOr<std::string> CollectionOf(const Args& args);

// The flag --collection, as most verbs take it.
FlagSpec CollectionFlag();

// Stores what goes into a FILE. "-" is standard output. A file is replaced as a whole or not at all; a device or a pipe
// is written to, and a link is followed.
absl::Status WriteOutput(Context& context, const std::string& path, absl::string_view bytes);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_COMMAND_H_
