#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/cli/complete.h"
#include "client/cli/completion_scripts.h"
#include "client/cli/run.h"
#include "client/cli/text.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

int RunCompletion(Context& context, const Args& args) {
  const absl::string_view script =
      args.operands().size() == 1 ? CompletionScript(args.operands()[0]) : absl::string_view();
  if (script.empty()) return Misused(context, "completion", "completion takes the name of a shell: bash, zsh or fish.");
  context.out.Write(script);
  return kOk;
}

int RunComplete(Context& context, const Args& args) {
  context.out.Write(CompletionLines(Complete(context, Commands(), args.operands())));
  return kOk;
}

}  // namespace

Command CompletionCommand() {
  return {.name = "completion",
          .summary = "print what makes a shell complete verbs, flags and collections",
          .operands = "bash | zsh | fish",
          .about =
              "Prints a script for the shell. An installed Sightline brings it along; elsewhere, load it where the\n"
              "shell starts:\n\n"
              "  source <(sightline completion bash)      in ~/.bashrc\n"
              "  source <(sightline completion zsh)       in ~/.zshrc, behind compinit\n"
              "  sightline completion fish | source       in ~/.config/fish/config.fish\n\n"
              "Names of collections and models are asked from the server, half a second at most.\n",
          .flags = {},
          .run = RunCompletion,
          .actions = {"bash", "zsh", "fish"}};
}

Command CompleteCommand() {
  return {.name = "__complete",
          .summary = "print what could stand at the cursor; the completion scripts ask for it",
          .operands = "-- [WORD...]",
          .about = "Prints \"files\" or \"words\", then a line for each word: the word, a tab, what it is.\n",
          .flags = {},
          .run = RunComplete,
          .hidden = true};
}

}  // namespace sightline::cli
