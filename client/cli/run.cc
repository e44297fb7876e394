#include "client/cli/run.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/cli/help.h"
#include "client/cli/man_page.h"
#include "client/cli/text.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

const Command* Find(const std::string& name) {
  const auto& commands = Commands();
  const auto found = std::find_if(commands.begin(), commands.end(), [&](const Command& c) {
    return c.name == name || std::find(c.aliases.begin(), c.aliases.end(), name) != c.aliases.end();
  });
  return found == commands.end() ? nullptr : &*found;
}

int UnknownVerb(Context& context, const std::string& word) {
  std::vector<std::string> names;
  for (const Command& command : Commands()) {
    if (!command.hidden) names.push_back(command.name);
  }
  const std::string near = Closest(word, names);
  const std::string hint =
      near.empty() ? "Run \"sightline help\" for the verbs." : absl::StrCat("Did you mean ", near, "?");
  context.err.Write(absl::StrCat("sightline: unknown verb \"", Printable(word), "\". ", hint, "\n"));
  return kUsage;
}

int Help(Context& context, const Args& args) {
  if (args.Switch("man")) {
    context.out.Write(ManPage(Commands()));
    return kOk;
  }
  if (args.operands().empty()) {
    context.out.Write(HelpOfProgram(Commands()));
    return kOk;
  }
  const Command* command = Find(args.operands()[0]);
  if (command == nullptr) return UnknownVerb(context, args.operands()[0]);
  context.out.Write(HelpOf(*command));
  return kOk;
}

Command HelpCommand() {
  return {.name = "help",
          .summary = "explain a verb",
          .operands = "[VERB]",
          .about = "Prints what a verb does and which flags it takes; without a verb, the list of verbs.\n",
          .flags = {{.name = "man", .kind = FlagKind::kSwitch, .help = "print the manual page sightline(1) as roff"}},
          .run = Help};
}

int RunVerb(Context& context, const Command& command, const Args& args) {
  if (args.Switch("help")) {
    context.out.Write(HelpOf(command));
    return kOk;
  }
  return command.run(context, args);
}

}  // namespace

const std::vector<Command>& Commands() {
  static const auto* const commands = new std::vector<Command>{
      IndexCommand(),   SearchCommand(),   ExplainCommand(),    GetCommand(),        ListCommand(),
      UpdateCommand(),  DeleteCommand(),   DuplicatesCommand(), ConfidenceCommand(), CollectionsCommand(),
      AliasesCommand(), SnapshotCommand(), OptimizeCommand(),   ReembedCommand(),    KeysCommand(),
      ModelsCommand(),  ExportCommand(),   OperationsCommand(), EvaluateCommand(),   ValuesCommand(),
      StatusCommand(),  DoctorCommand(),   ReadyCommand(),      CompletionCommand(), CompleteCommand(),
      VersionCommand(), HelpCommand()};
  return *commands;
}

int Run(Context& context, const std::vector<std::string>& words) {
  if (words.empty()) {
    context.err.Write(HelpOfProgram(Commands()));
    return kUsage;
  }
  std::string verb = words[0];
  if (verb == "--help" || verb == "-h") verb = "help";
  if (verb == "--version") verb = "version";
  const Command* command = Find(verb);
  if (command == nullptr) return UnknownVerb(context, verb);
  std::vector<FlagSpec> flags = command->flags;
  flags.insert(flags.end(), CommonFlags().begin(), CommonFlags().end());
  const auto args = ParseArgs(command->name, flags, {words.begin() + 1, words.end()});
  if (!args.ok()) return Fail(context, Args(), args.status());
  const int code = RunVerb(context, *command, *args);
  // Whatever was done, who asked has not been told.
  const absl::Status lost = context.out.problem();
  return lost.ok() ? code : Fail(context, *args, lost);
}

}  // namespace sightline::cli
