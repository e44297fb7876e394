#include "base/csv.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace sightline::base {
namespace {

constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";  // spreadsheets write it

}  // namespace

CsvReader::CsvReader(absl::string_view name, absl::string_view text, const CsvLimits& limits)
    : name_(name), rest_(absl::StripPrefix(text, kByteOrderMark)), limits_(limits) {}

absl::StatusOr<CsvReader> CsvReader::Open(absl::string_view name, absl::string_view text, const CsvLimits& limits) {
  CsvReader reader(name, text, limits);
  SIGHTLINE_ASSIGN_OR_RETURN(const bool any, reader.ReadLine());
  if (!any) return reader.Problem("the file is empty. Write a line with the names of the columns, and the rows.");
  reader.columns_.assign(reader.fields_.begin(), reader.fields_.begin() + static_cast<int64_t>(reader.field_count_));
  std::set<absl::string_view> seen;
  for (const std::string& column : reader.columns_) {
    if (!seen.insert(column).second) {
      return reader.Problem(absl::StrCat("two columns are called ", QuotedPiece(column), ". Rename or remove one."));
    }
  }
  return reader;
}

absl::StatusOr<CsvReader> CsvReader::OpenPlain(absl::string_view name, absl::string_view text,
                                               std::vector<std::string> columns, const CsvLimits& limits) {
  CsvReader reader(name, text, limits);
  reader.columns_ = std::move(columns);
  return reader;
}

std::optional<size_t> CsvReader::FindColumn(absl::string_view column) const {
  const auto found = std::find(columns_.begin(), columns_.end(), column);
  if (found == columns_.end()) return std::nullopt;
  return static_cast<size_t>(found - columns_.begin());
}

absl::StatusOr<size_t> CsvReader::Column(absl::string_view column) const {
  if (const std::optional<size_t> found = FindColumn(column)) return *found;
  return InvalidArgument("INVALID_CSV",
                         absl::StrCat(name_, " has no column \"", column, "\". Name it in the first line of the file."),
                         {{"file", name_}, {"column", std::string(column)}});
}

absl::StatusOr<bool> CsvReader::Next() {
  SIGHTLINE_ASSIGN_OR_RETURN(const bool more, ReadLine());
  if (!more) return false;
  if (++rows_ > limits_.max_rows) {
    return Problem(absl::StrCat("there are more than ", limits_.max_rows, " rows. Split the file."));
  }
  if (field_count_ != columns_.size()) {
    return Problem(absl::StrCat("it has ", field_count_, " fields; there are ", columns_.size(),
                                " columns. Give every row as many, and quote fields that hold a comma."));
  }
  return true;
}

absl::StatusOr<bool> CsvReader::ReadLine() {
  while (!rest_.empty()) {
    ++line_;
    // One byte beyond the limit and the carriage return, so that a file without line breaks is not searched to its end.
    const size_t end = rest_.substr(0, limits_.max_line_bytes + 2).find('\n');
    const absl::string_view line = absl::StripSuffix(rest_.substr(0, end), "\r");
    if (line.size() > limits_.max_line_bytes) {
      return Problem(absl::StrCat("it is longer than ", limits_.max_line_bytes, " bytes. Shorten or split it."));
    }
    rest_.remove_prefix(end == absl::string_view::npos ? rest_.size() : end + 1);
    if (line.empty()) continue;
    SIGHTLINE_RETURN_IF_ERROR(Split(line));
    return true;
  }
  return false;
}

absl::Status CsvReader::Split(absl::string_view line) {
  if (line.find('\0') != absl::string_view::npos) {
    return Problem("it holds a NUL byte. Save the file as text in UTF-8.");
  }
  field_count_ = 0;
  const auto next_field = [&]() -> std::string& {
    if (field_count_ == fields_.size()) fields_.emplace_back();
    fields_[field_count_].clear();
    return fields_[field_count_++];
  };
  size_t at = 0;
  while (true) {
    if (field_count_ == limits_.max_columns) {
      return Problem(absl::StrCat("it has more than ", limits_.max_columns, " fields. Leave out columns."));
    }
    std::string& field = next_field();
    if (at < line.size() && line[at] == '"') {
      ++at;
      while (true) {
        const size_t quote = line.find('"', at);
        if (quote == absl::string_view::npos) {
          return Problem("a quote is not closed in its line. Close it, and write \"\" for a quote inside of quotes.");
        }
        field.append(line.data() + at, quote - at);
        at = quote + 1;
        if (at == line.size() || line[at] != '"') break;
        field.push_back('"');
        ++at;
      }
      if (at < line.size() && line[at] != ',') {
        return Problem("text follows a closed quote. Write \"\" for a quote inside of quotes.");
      }
    } else {
      const size_t end = std::min(line.find(',', at), line.size());
      field.assign(line.data() + at, end - at);
      if (field.find_first_of("\"\r") != std::string::npos) {
        return Problem(absl::StrCat("the field ", QuotedPiece(field),
                                    " holds a quote or a carriage return. Put it in quotes, with \"\" for a quote."));
      }
      at = end;
    }
    if (at == line.size()) return absl::OkStatus();
    ++at;  // the comma
  }
}

absl::StatusOr<int64_t> CsvReader::Int(size_t column, int64_t least, int64_t most) const {
  int64_t value = 0;
  if (absl::SimpleAtoi(fields_[column], &value) && value >= least && value <= most) return value;
  return Wrong(column, absl::StrCat("it must be a whole number from ", least, " to ", most, ". Correct it."));
}

absl::StatusOr<double> CsvReader::Number(size_t column, double least, double most) const {
  double value = 0;
  if (absl::SimpleAtod(fields_[column], &value) && value >= least && value <= most) return value;
  return Wrong(column, absl::StrCat("it must be a number from ", least, " to ", most, ". Correct it."));
}

absl::Status CsvReader::Wrong(size_t column, absl::string_view rule) const {
  return InvalidArgument(
      "INVALID_CSV",
      absl::StrCat(name_, ", line ", line_, ": ", columns_[column], " is ", QuotedPiece(fields_[column]), "; ", rule),
      {{"file", name_}, {"line", absl::StrCat(line_)}, {"column", columns_[column]}});
}

absl::Status CsvReader::Problem(absl::string_view problem) const {
  return InvalidArgument("INVALID_CSV", absl::StrCat(name_, ", line ", line_, ": ", problem),
                         {{"file", name_}, {"line", absl::StrCat(line_)}});
}

bool LeadsInside(absl::string_view path) {
  if (path.empty() || path[0] == '/' || path.find('\0') != absl::string_view::npos) return false;
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (part == "..") return false;
  }
  return true;
}

std::string QuotedPiece(absl::string_view text) {
  constexpr size_t kShown = 60;
  return absl::StrCat("\"", absl::Utf8SafeCHexEscape(text.substr(0, kShown)), text.size() > kShown ? "..." : "", "\"");
}

}  // namespace sightline::base
