#include "model/train/data/space_list.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/csv.h"
#include "base/status.h"

namespace sightline::train {
namespace {

constexpr size_t kMaxLineBytes = 4096;

}  // namespace

SpaceList::SpaceList(const ListFile& file, std::vector<std::string> fields)
    : name_(file.path), fields_(std::move(fields)), rest_(absl::StripPrefix(file.text, "\xEF\xBB\xBF")) {}

absl::StatusOr<bool> SpaceList::Next() {
  while (!rest_.empty()) {
    ++line_;
    const size_t end = rest_.substr(0, kMaxLineBytes + 2).find('\n');
    const absl::string_view line = absl::StripSuffix(rest_.substr(0, end), "\r");
    if (line.size() > kMaxLineBytes) {
      return Problem(absl::StrCat("it is longer than ", kMaxLineBytes, " bytes. Give one row a line."));
    }
    rest_.remove_prefix(end == absl::string_view::npos ? rest_.size() : end + 1);
    if (line.empty()) continue;
    if (line.find('\0') != absl::string_view::npos) return Problem("it holds a NUL byte. Save the file as text.");
    row_.clear();
    size_t first = 0;
    for (size_t i = 0; i <= line.size(); ++i) {
      if (i < line.size() && line[i] != ' ' && line[i] != '\t') continue;
      row_.push_back(line.substr(first, i - first));
      first = i + 1;
    }
    bool good = row_.size() == fields_.size();
    for (const absl::string_view field : row_) good = good && !field.empty();
    if (!good) {
      return Problem(absl::StrCat("it is ", base::QuotedPiece(line), "; a row is \"", absl::StrJoin(fields_, " "),
                                  "\". Correct the line."));
    }
    return true;
  }
  return false;
}

absl::StatusOr<int64_t> SpaceList::Int(size_t field, int64_t least, int64_t most) const {
  int64_t value = 0;
  if (absl::SimpleAtoi(row_[field], &value) && value >= least && value <= most) return value;
  return Wrong(field, absl::StrCat("it must be a whole number from ", least, " to ", most, ". Correct it."));
}

absl::StatusOr<double> SpaceList::Number(size_t field, double least, double most) const {
  double value = 0;
  if (absl::SimpleAtod(row_[field], &value) && value >= least && value <= most) return value;
  return Wrong(field, absl::StrCat("it must be a number from ", least, " to ", most, ". Correct it."));
}

absl::StatusOr<absl::string_view> SpaceList::Path(size_t field) const {
  if (base::LeadsInside(row_[field])) return row_[field];
  return Wrong(field, "it must lead to a file below the root. Write it relative to the root, without \"..\".");
}

absl::Status SpaceList::Wrong(size_t field, absl::string_view rule) const {
  return Problem(absl::StrCat(fields_[field], " is ", base::QuotedPiece(row_[field]), "; ", rule));
}

absl::Status SpaceList::Problem(absl::string_view problem) const {
  return base::InvalidArgument("INVALID_LIST", absl::StrCat(name_, ", line ", line_, ": ", problem),
                               {{"file", name_}, {"line", absl::StrCat(line_)}});
}

}  // namespace sightline::train
