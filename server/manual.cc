#include "server/manual.h"

#include "absl/flags/commandlineflag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/roff.h"
#include "base/version.h"
#include "server/settings.h"

namespace sightline::server {
namespace {

constexpr size_t kHelpColumns = 100;

constexpr char kHelpHead[] =
    "sightline-server: visual search for instances, by gRPC and HTTP\n\n"
    "  sightline-server --data_dir DIR --models dtop_tiny\n\n"
    "Every setting is also an environment variable (--max_batch: SIGHTLINE_MAX_BATCH) and a line of the file\n"
    "given by --config (max_batch = 16). --help=man prints the manual page, --version the version.\n\n"
    "Flags:\n";

constexpr char kDescription[] =
    ".SH DESCRIPTION\n"
    "Serves visual search: finds the images that show the same place, product or object as a query image, and shows\n"
    "why. Keeps collections of images in a data directory, embeds images with the models it is told to load, and\n"
    "answers by gRPC (50051) and HTTP (8080: a console, and the API as JSON). Metrics and a status page are at 9464.\n"
    "All addresses are the machine's own unless it is told otherwise.\n"
    ".PP\n"
    "A setting comes from the file of\n.BR \\-\\-config ,\nthen from the environment, then from the command line; the "
    "last one holds. In the file it is a line\n.IR \"name = value\" ;\n# begins a comment.\n"
    ".SH OPTIONS\n"
    "Switches are written \\-\\-name or \\-\\-noname, lists with commas, times with a unit (250ms, 2m).\n";

constexpr char kRest[] =
    ".TP\n.B \\-\\-help\nPrint the flags and end; with \\-\\-help=man, this page.\n"
    ".TP\n.B \\-\\-version\nPrint the version and end.\n"
    ".SH SIGNALS\n"
    ".TP\nSIGHUP\nReads settings, keys and certificates again. The log names what needs a restart.\n"
    ".TP\nSIGTERM, SIGINT\nTakes no new requests, answers those in hand within \\-\\-drain_grace, and ends with 0. A\n"
    "second one ends it at once, with 1.\n"
    ".SH EXIT STATUS\n"
    ".TP\n0\nIt was asked to end, and has; or \\-\\-doctor found no fault.\n"
    ".TP\n1\nIt could not start or go on, or \\-\\-doctor found a fault; standard error says why.\n"
    ".TP\n2\nA setting that cannot be.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n.B SIGHTLINE_NAME\nThe setting of that name, in capitals: SIGHTLINE_MAX_BATCH is \\-\\-max_batch.\n"
    ".SH SEE ALSO\n.BR sightline (1).\nThe project's docs folder: operations.md says what each setting is for.\n";

// Breaks at blanks; lines after the first are indented further.
std::string Wrapped(absl::string_view text) {
  std::string out;
  std::string line = "   ";
  for (const absl::string_view word : absl::StrSplit(text, ' ')) {
    if (line.size() + 1 + word.size() > kHelpColumns) {
      absl::StrAppend(&out, line, "\n");
      line = "     ";
    }
    absl::StrAppend(&line, " ", word);
  }
  return absl::StrCat(out, line, "\n");
}

}  // namespace

std::string HelpText() {
  std::string out = kHelpHead;
  for (const auto& [name, flag] : AllSettings()) {
    const std::string value = flag->DefaultValue();
    const std::string current = flag->CurrentValue();
    const bool changed = current != value && !MayBeSecret(name);
    absl::StrAppend(
        &out, Wrapped(absl::StrCat("--", name, " (", flag->Help(), "); default: ", value.empty() ? "none" : value, ";",
                                   changed ? absl::StrCat(" now: ", current, ";") : "")));
  }
  return out;
}

std::string ManPage() {
  std::string out = absl::StrCat(".TH SIGHTLINE-SERVER 8 \"\" \"Sightline ", base::RoffText(base::Version()),
                                 "\" \"System Administration\"\n"
                                 ".SH NAME\nsightline-server \\- visual search for instances, by gRPC and HTTP\n"
                                 ".SH SYNOPSIS\n.B sightline-server\n[\\fB\\-\\-\\fIname\\fR=\\fIvalue\\fR ...]\n",
                                 kDescription);
  for (const auto& [name, flag] : AllSettings()) {
    const std::string value = flag->DefaultValue();
    absl::StrAppend(&out, ".TP\n.B ", base::RoffText(absl::StrCat("--", name)), "\n", base::RoffText(flag->Help()),
                    ".\n", value.empty() ? "" : absl::StrCat("Default: ", base::RoffText(value), ".\n"));
  }
  return out + kRest;
}

}  // namespace sightline::server
