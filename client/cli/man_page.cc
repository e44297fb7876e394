#include "client/cli/man_page.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/version.h"

namespace sightline::cli {
namespace {

constexpr char kExitStatus[] =
    ".TP\n0\nDone.\n"
    ".TP\n1\nAn error: the server refused, cannot be reached, or a file cannot be read.\n"
    ".TP\n2\nThe request was fine and nothing matches.\n"
    ".TP\n3\nsearch: the answer is degraded; the reasons are on standard error.\n"
    ".TP\n4\nindex, evaluate, reembed: some images failed; they are listed with the reason.\n"
    ".TP\n64\nWrong usage: an unknown verb or flag, a missing operand, a value that cannot be.\n"
    ".TP\n130\nInterrupted by Ctrl\\-C.\n";

constexpr char kEnvironment[] =
    ".TP\n.B SIGHTLINE_ADDRESS\nThe server's HOST:PORT, where \\-\\-address does not name it.\n"
    ".TP\n.B SIGHTLINE_API_KEY\nThe API key, where \\-\\-api_key_file does not name a file.\n"
    ".TP\n.B NO_COLOR\nWhen not empty, nothing is coloured.\n";

// Text as roff takes it: a hyphen of a flag must stay one that can be copied, and no line may begin a request.
std::string Escaped(absl::string_view text) {
  const std::string out = absl::StrReplaceAll(
      text, {{"\\", "\\e"}, {"-", "\\-"}, {"'", "\\(aq"}, {"`", "\\(ga"}, {"~", "\\(ti"}, {"^", "\\(ha"}});
  return absl::StartsWith(out, ".") ? absl::StrCat("\\&", out) : out;
}

// The paragraphs of a verb's description; what is indented there are examples.
std::string Paragraphs(absl::string_view about) {
  std::string out;
  bool example = false;
  bool paragraph = true;
  for (const absl::string_view line : absl::StrSplit(about, '\n')) {
    const bool indented = absl::StartsWith(line, "  ");
    if (indented != example && !line.empty()) {
      absl::StrAppend(&out, indented ? ".PP\n.RS 2\n.nf\n" : ".fi\n.RE\n");
      example = indented;
      paragraph = !indented;
    }
    if (line.empty()) {
      paragraph = true;
      continue;
    }
    if (paragraph && !indented && !out.empty()) absl::StrAppend(&out, ".PP\n");
    paragraph = false;
    absl::StrAppend(&out, Escaped(indented ? line.substr(2) : line), "\n");
  }
  if (example) absl::StrAppend(&out, ".fi\n.RE\n");
  return out;
}

std::string FlagList(const std::vector<FlagSpec>& flags) {
  std::string out;
  for (const FlagSpec& flag : flags) {
    absl::StrAppend(&out, ".TP\n.B ");
    if (flag.short_name != 0) absl::StrAppend(&out, "\\-", std::string(1, flag.short_name), ", ");
    absl::StrAppend(&out, Escaped(absl::StrCat("--", flag.name)));
    if (!flag.value.empty()) absl::StrAppend(&out, " \\fI", Escaped(flag.value), "\\fR");
    absl::StrAppend(&out, "\n", Escaped(flag.help), flag.repeated ? "; may be given several times" : "", "\n");
  }
  return out;
}

}  // namespace

std::string ManPage(const std::vector<Command>& commands) {
  std::string out = absl::StrCat(
      ".TH SIGHTLINE 1 \"\" \"Sightline ", Escaped(base::Version()),
      "\" \"User Commands\"\n"
      ".SH NAME\nsightline \\- find the images that show the same thing\n"
      ".SH SYNOPSIS\n.B sightline\n.I VERB\n[operands] [flags]\n"
      ".SH DESCRIPTION\n"
      "Talks to a Sightline server: indexes images, searches them by an image, and shows why two images match.\n"
      "Results go to standard output, everything else to standard error. Flags are written\n"
      "\\-\\-name value or \\-\\-name=value; \\-\\- ends them.\n"
      ".SH VERBS\n");
  for (const Command& command : commands) {
    if (command.hidden) continue;
    absl::StrAppend(&out, ".SS \"sightline ", command.name, command.operands.empty() ? "" : " ",
                    Escaped(command.operands), "\"\n", Escaped(command.summary), ".\n.PP\n", Paragraphs(command.about),
                    FlagList(command.flags));
  }
  absl::StrAppend(
      &out, ".SH FLAGS OF EVERY VERB\n", FlagList(CommonFlags()), ".SH EXIT STATUS\n", kExitStatus, ".SH ENVIRONMENT\n",
      kEnvironment,
      ".SH SEE ALSO\nThe project's docs folder: cli.md has the JSON of every verb, filters.md the filters.\n");
  return out;
}

}  // namespace sightline::cli
