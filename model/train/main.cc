// The program `sightline-train`: makes training and sample data, measures what a model has to beat, and prepares
// models.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/version.h"
#include "model/train/command.h"

namespace sightline::train {
namespace {

constexpr int kFailure = 1;
constexpr int kUsageError = 2;

std::string Help(const std::vector<Command>& commands) {
  std::string out = "usage: sightline-train VERB [FLAGS]\n\n";
  for (const Command& command : commands) {
    absl::StrAppend(&out, "  ", command.name, std::string(18 - std::min<size_t>(command.name.size(), 17), ' '),
                    command.summary, "\n");
  }
  return out + "\n`sightline-train VERB --help` explains one of them, `sightline-train --version` says what this is.\n";
}

int Main(const std::vector<std::string>& arguments) {
  const std::vector<Command> commands = {AblateCommand(),    CalibrateCommand(), ImportCommand(),
                                         LandmarksCommand(), ScenesCommand(),    PixelBaselineCommand(),
                                         TokensCommand(),    TrainCommand(),     WhitenCommand()};
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "help") {
    std::fputs(Help(commands).c_str(), arguments.empty() ? stderr : stdout);
    return arguments.empty() ? kUsageError : 0;
  }
  if (arguments[0] == "--version") {
    std::fputs(base::VersionLine("sightline-train").c_str(), stdout);
    return 0;
  }
  const auto command =
      std::find_if(commands.begin(), commands.end(), [&arguments](const Command& c) { return c.name == arguments[0]; });
  if (command == commands.end()) {
    std::fprintf(stderr, "sightline-train: verb \"%s\" is not known. Run `sightline-train --help` for the list.\n",
                 arguments[0].c_str());
    return kUsageError;
  }
  const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  if (std::find(rest.begin(), rest.end(), "--help") != rest.end()) {
    std::fputs(command->usage.c_str(), stdout);
    return 0;
  }
  const absl::Status status = command->run(rest);
  if (status.ok()) return 0;
  std::fprintf(stderr, "sightline-train: %s\n", std::string(status.message()).c_str());
  return status.code() == absl::StatusCode::kInvalidArgument ? kUsageError : kFailure;
}

}  // namespace
}  // namespace sightline::train

int main(int argc, char** argv) { return sightline::train::Main(std::vector<std::string>(argv + 1, argv + argc)); }
