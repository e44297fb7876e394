#include "model/train/scene/labels.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status.h"

namespace sightline::scene {
namespace {

constexpr absl::string_view kHeader = "path,instance,view,split";
constexpr int64_t kMaxBytes = 64 << 20;

bool ParseLabel(absl::string_view line, Label* label) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ',');
  if (fields.size() != 4) return false;
  label->path = std::string(fields[0]);
  label->split = fields[3] == "index" ? Split::kIndex : Split::kQuery;
  const bool inside = !fields[0].empty() && fields[0][0] != '/' && !absl::StrContains(fields[0], "..");
  return inside && absl::SimpleAtoi(fields[1], &label->instance) && absl::SimpleAtoi(fields[2], &label->view) &&
         (fields[3] == "index" || fields[3] == "query");
}

}  // namespace

std::string FormatLabels(const std::vector<Label>& labels) {
  std::string out = absl::StrCat(kHeader, "\n");
  for (const Label& label : labels) {
    absl::StrAppend(&out, label.path, ",", label.instance, ",", label.view, ",",
                    label.split == Split::kIndex ? "index" : "query", "\n");
  }
  return out;
}

absl::StatusOr<std::vector<Label>> ReadLabels(const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/labels.csv");
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string content, base::ReadFile(path, kMaxBytes));
  std::vector<Label> labels;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(content, '\n', absl::SkipEmpty())) {
    ++number;
    Label label;
    const bool good = number == 1 ? line == kHeader : ParseLabel(line, &label);
    if (!good) {
      return base::InvalidArgument("LABELS_INVALID",
                                   absl::StrCat("line ", number, " of ", path, " is not \"", kHeader,
                                                "\". Generate the folder again with `sightline-train scenes`."));
    }
    if (number > 1) labels.push_back(std::move(label));
  }
  return labels;
}

}  // namespace sightline::scene
