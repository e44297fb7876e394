#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "model/train/command.h"
#include "model/train/flags.h"
#include "model/train/run/architecture_file.h"
#include "model/train/training_flags.h"
#include "model/weights/import.h"

namespace sightline::train {
namespace {

constexpr char kImportUsage[] =
    R"(usage: sightline-train import CHECKPOINT --model NAME --out DIR [--zoo DIR] [--key KEY]
                              [--whitening NAME] [--partial] [--allow_unexpected] [--force]

Makes a model directory of a published checkpoint: safetensors, or a file of torch.save (a state dict, plain or under a
usual key). Python is not needed, and nothing in the file is run.

  CHECKPOINT          the file
  --model NAME        the architecture: a folder of the zoo, or the path of a model.json
  --out DIR           the folder to make: model.json and weights.safetensors, or nothing
  --zoo DIR           where the zoo is; model/zoo, or as SIGHTLINE_ZOO says
  --key KEY           where in the file the tensors are ("model", "state.net"); the usual keys are tried
  --whitening NAME    end with a whitening that cirtorch keeps beside the tensors: retrieval-SfM-120k.ms, say
  --partial           for a file without the head: its values are seeded, not trained, and the model says so
  --allow_unexpected  leave out tensors that the model has no place for
  --force             replace a model that is in DIR

Prints every tensor that was not simply taken. Exits with 1 and writes nothing when the file does not fit.
)";

constexpr size_t kMostRows = 400;

void PrintFindings(const std::vector<model::ImportFinding>& findings) {
  size_t key = 3, file = 4, shape = 5;
  const size_t shown = std::min(findings.size(), kMostRows);
  for (size_t i = 0; i < shown; ++i) {
    key = std::max(key, findings[i].key.size());
    file = std::max(file, findings[i].file_shape.size());
    shape = std::max(shape, findings[i].model_shape.size());
  }
  const auto row = [&](const std::string& a, const std::string& b, const std::string& c, const std::string& d) {
    absl::PrintF("%-*s  %-*s  %-*s  %s\n", key, a, file, b, shape, c, d);
  };
  row("key", "file", "model", "what");
  for (size_t i = 0; i < shown; ++i) {
    row(findings[i].key, findings[i].file_shape, findings[i].model_shape, findings[i].what);
  }
  if (shown < findings.size()) absl::PrintF("... and %d more\n", findings.size() - shown);
}

absl::Status RunImport(const std::vector<std::string>& arguments) {
  SIGHTLINE_ASSIGN_OR_RETURN(const Flags flags, Flags::Parse(arguments, {{"model", "NAME"},
                                                                         {"out", "DIR"},
                                                                         {"zoo", "DIR"},
                                                                         {"key", "KEY"},
                                                                         {"whitening", "NAME"},
                                                                         {"partial", ""},
                                                                         {"allow_unexpected", ""},
                                                                         {"force", ""}}));
  if (flags.positional().size() != 1) {
    return base::InvalidArgument("ARGUMENT_MISSING",
                                 absl::StrCat(flags.positional().size(),
                                              " files are given; one is needed. Write `sightline-train import "
                                              "CHECKPOINT --model NAME --out DIR`."));
  }
  for (const char* const needed : {"model", "out"}) {
    if (flags.Text(needed, "").empty()) {
      return base::InvalidArgument("SETTING_MISSING", absl::StrCat("--", needed,
                                                                   " is not given. Write `sightline-train "
                                                                   "import CHECKPOINT --model NAME --out DIR`."));
    }
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string model_json, FindArchitecture(flags.Text("model", ""), ZooFolder(flags)));
  const model::ImportOptions options{.checkpoint = flags.positional()[0],
                                     .model_json = model_json,
                                     .out = flags.Text("out", ""),
                                     .key = flags.Text("key", ""),
                                     .whitening = flags.Text("whitening", ""),
                                     .partial = flags.Has("partial"),
                                     .allow_unexpected = flags.Has("allow_unexpected"),
                                     .force = flags.Has("force")};
  SIGHTLINE_ASSIGN_OR_RETURN(const model::ImportReport report, model::ImportCheckpoint(options));
  absl::PrintF("%s: %s%s, names of %s\n", options.checkpoint, report.format,
               report.wrapper.empty() ? "" : absl::StrCat(", tensors under ", report.wrapper), report.names);
  if (!report.findings.empty()) PrintFindings(report.findings);
  for (const std::string& note : report.notes) absl::PrintF("%s\n", note);
  if (!report.fits) {
    const auto problems = std::count_if(report.findings.begin(), report.findings.end(),
                                        [](const model::ImportFinding& finding) { return finding.problem; });
    return base::FailedPrecondition(
        "WEIGHTS_MISMATCH", absl::StrCat(options.checkpoint, " does not fit ", options.model_json, ": ", problems,
                                         " tensors do not agree. Choose the model it belongs to, or see --help for "
                                         "--partial and --allow_unexpected."));
  }
  absl::PrintF("wrote %s: %s (%s), %d tensors of the file, descriptors of %d values%s\n", options.out, report.info.name,
               report.info.architecture, report.tensors, report.info.descriptor_dim,
               report.info.untrained ? "; UNTRAINED: the head is seeded" : "");
  absl::PrintF("embedding space %s\n", report.info.embedding_space);
  return absl::OkStatus();
}

}  // namespace

Command ImportCommand() {
  return {"import", "make a model directory of a published checkpoint", kImportUsage, RunImport};
}

}  // namespace sightline::train
