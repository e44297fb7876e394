#include "client/cli/help.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace sightline::cli {
namespace {

std::string FlagLines(const std::vector<FlagSpec>& flags) {
  std::string out;
  for (const FlagSpec& flag : flags) {
    std::string left = flag.short_name == 0 ? "    " : absl::StrCat("-", std::string(1, flag.short_name), ", ");
    absl::StrAppend(&left, "--", flag.name, flag.value.empty() ? "" : " ", flag.value);
    absl::StrAppendFormat(&out, "  %-34s %s%s\n", left, flag.help,
                          flag.repeated ? " (may be given several times)" : "");
  }
  return out;
}

}  // namespace

std::string HelpOfProgram(const std::vector<Command>& commands) {
  std::string out =
      "sightline finds the images that show the same thing: it talks to a Sightline server.\n\n"
      "Usage: sightline VERB [operands] [flags]\n\nVerbs:\n";
  for (const Command& command : commands) {
    if (!command.hidden) absl::StrAppendFormat(&out, "  %-12s %s\n", command.name, command.summary);
  }
  absl::StrAppend(
      &out,
      "\nStart here:\n"
      "  sightline doctor                                      is everything well?\n"
      "  sightline index ./photos --collection shop --create   make a folder searchable\n"
      "  sightline search shoe.jpg --collection shop           find what shoe.jpg shows\n\n"
      "Flags of every verb:\n",
      FlagLines(CommonFlags()),
      "\nExit codes: 0 ok, 1 error, 2 nothing found, 3 degraded answer, 4 some images failed, 64 wrong usage,\n"
      "130 interrupted. \"sightline VERB --help\" tells more about a verb; docs/cli.md tells all.\n");
  return out;
}

std::string HelpOf(const Command& command) {
  std::string out =
      absl::StrCat("sightline ", command.name, ": ", command.summary, "\n\nUsage: sightline ", command.name,
                   command.operands.empty() ? "" : " ", command.operands, " [flags]\n\n", command.about);
  if (!command.aliases.empty()) {
    absl::StrAppend(&out, "\nAlso called sightline ", absl::StrJoin(command.aliases, ", "), ".\n");
  }
  if (!command.flags.empty()) absl::StrAppend(&out, "\nFlags:\n", FlagLines(command.flags));
  absl::StrAppend(&out, "\nFlags of every verb:\n", FlagLines(CommonFlags()));
  return out;
}

}  // namespace sightline::cli
