#include "client/cli/table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/cli/text.h"

namespace sightline::cli {

void Table::AddRow(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = Printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::Render(TableStyle style, bool titles) const {
  std::vector<std::string> names;
  for (const Column& column : columns_) names.push_back(column.title);
  if (style == TableStyle::kFields) {
    std::string fields = titles ? absl::StrCat(absl::StrJoin(names, "\t"), "\n") : "";
    for (const auto& row : rows_) absl::StrAppend(&fields, absl::StrJoin(row, "\t"), "\n");
    return fields;
  }
  std::vector<size_t> widths;
  for (size_t c = 0; c < columns_.size(); ++c) {
    size_t width = CharacterCount(names[c]);
    for (const auto& row : rows_) width = std::max(width, CharacterCount(row[c]));
    widths.push_back(width);
  }
  std::string out;
  const auto add = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (size_t c = 0; c < cells.size(); ++c) {
      const std::string space(widths[c] - CharacterCount(cells[c]), ' ');
      const bool right = columns_[c].align == Align::kRight;
      absl::StrAppend(&line, c == 0 ? "" : "  ", right ? space : "", cells[c], right ? "" : space);
    }
    absl::StrAppend(&out, absl::StripTrailingAsciiWhitespace(line), "\n");
  };
  if (titles) add(names);
  if (titles && style == TableStyle::kColoured)
    out = absl::StrCat("\x1b[1m", absl::StripSuffix(out, "\n"), "\x1b[0m\n");
  for (const auto& row : rows_) add(row);
  return out;
}

}  // namespace sightline::cli
