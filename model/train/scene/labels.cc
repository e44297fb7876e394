#include "model/train/scene/labels.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status.h"

namespace sightline::scene {
namespace {

constexpr absl::string_view kHeader = "path,instance,view,split";
constexpr absl::string_view kHeaderWithHidden = "path,instance,view,split,hidden";
constexpr int64_t kMaxBytes = 64 << 20;

bool ParseHidden(absl::string_view text, Label* label) {
  double hidden = 0;
  if (!absl::SimpleAtod(text, &hidden) || !(hidden >= 0 && hidden <= 1)) return false;
  label->hidden = hidden;
  return true;
}

bool ParseLabel(absl::string_view line, bool with_hidden, Label* label) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ',');
  if (fields.size() != (with_hidden ? 5u : 4u)) return false;
  label->path = std::string(fields[0]);
  label->split = fields[3] == "index" ? Split::kIndex : Split::kQuery;
  const bool inside = !fields[0].empty() && fields[0][0] != '/' && !absl::StrContains(fields[0], "..");
  return inside && absl::SimpleAtoi(fields[1], &label->instance) && absl::SimpleAtoi(fields[2], &label->view) &&
         (fields[3] == "index" || fields[3] == "query") && (!with_hidden || ParseHidden(fields[4], label));
}

}  // namespace

std::string FormatLabels(const std::vector<Label>& labels) {
  const bool with_hidden = !labels.empty() && std::all_of(labels.begin(), labels.end(),
                                                          [](const Label& label) { return label.hidden.has_value(); });
  std::string out = absl::StrCat(with_hidden ? kHeaderWithHidden : kHeader, "\n");
  for (const Label& label : labels) {
    absl::StrAppend(&out, label.path, ",", label.instance, ",", label.view, ",",
                    label.split == Split::kIndex ? "index" : "query");
    if (with_hidden) absl::StrAppendFormat(&out, ",%.3f", *label.hidden);
    out += "\n";
  }
  return out;
}

absl::StatusOr<std::vector<Label>> ReadLabels(const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/labels.csv");
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string content, base::ReadFile(path, kMaxBytes));
  std::vector<Label> labels;
  int number = 0;
  bool with_hidden = false;
  for (absl::string_view line : absl::StrSplit(content, '\n', absl::SkipEmpty())) {
    ++number;
    Label label;
    if (number == 1) with_hidden = line == kHeaderWithHidden;
    const bool good = number == 1 ? with_hidden || line == kHeader : ParseLabel(line, with_hidden, &label);
    if (!good) {
      return base::InvalidArgument(
          "LABELS_INVALID",
          absl::StrCat("line ", number, " of ", path, " is not \"", with_hidden ? kHeaderWithHidden : kHeader,
                       "\". Generate the folder again with `sightline-train scenes`."));
    }
    if (number > 1) labels.push_back(std::move(label));
  }
  return labels;
}

}  // namespace sightline::scene
