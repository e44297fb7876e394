// Settings: where the flags of options.cc get their values from beside the command line, at the start and again on
// SIGHUP: the file of --config, then the environment. What the command line sets stays as it is.
//
// Threading: one thread. Failure: INVALID_ARGUMENT that names the line or the variable; a reload that fails leaves
// every flag as it was.
//
//   SettingSources sources(argc, argv);
//   SIGHTLINE_RETURN_IF_ERROR(sources.Read());  // file and environment; then the command line may be parsed
//   sources.PinCommandLine();                   // and from then on
//   SIGHTLINE_RETURN_IF_ERROR(sources.ReadAgain());
#ifndef SIGHTLINE_SERVER_SETTINGS_H_
#define SIGHTLINE_SERVER_SETTINGS_H_

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/commandlineflag.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sightline::server {

// This project's settings, by name: the flags of options.cc. absl's own and those of libraries can be set by flags
// alone.
using Flags = std::map<std::string, absl::CommandLineFlag*>;
Flags AllSettings();

// A setting that may hold a secret itself is shown as being set. Files that hold one are named.
bool MayBeSecret(absl::string_view name);

// Calls `set` for every line `name = value` of a file of settings; `origin` is "FILE line N".
absl::Status ForEachSetting(
    absl::string_view text, absl::string_view file,
    absl::FunctionRef<absl::Status(const std::string& name, const std::string& value, const std::string& origin)> set);

class SettingSources {
 public:
  SettingSources(int argc, char** argv);

  absl::Status Read();
  // Call when absl has parsed the command line.
  void PinCommandLine();
  absl::Status ReadAgain();

  // Every setting's value now, as text.
  static std::map<std::string, std::string> Values();

  // Those that are not the default, by name; what is secret is left out.
  static std::vector<std::pair<std::string, std::string>> Changed();

 private:
  absl::Status ReadFile();
  absl::Status ReadEnvironment();
  absl::Status Set(absl::CommandLineFlag* flag, const std::string& value, const std::string& origin);

  std::string config_;                              // path; empty: there is none
  std::set<std::string> pinned_;                    // settings that the command line has given
  std::map<std::string, std::string> before_line_;  // what file and environment said
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SETTINGS_H_
