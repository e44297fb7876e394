#include "server/observe/columns.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sightline::server {
namespace {

constexpr size_t kContinuation = 4;

// Where a line that starts with `text` may end: behind `most` bytes at the latest, never within a UTF-8 sequence.
size_t BreakOf(absl::string_view text, size_t indent, size_t most) {
  const size_t space = text.rfind(' ', most);
  if (space != absl::string_view::npos && space > indent) return space;
  while (most > 1 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  return most;
}

}  // namespace

std::string Printable(absl::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return out;
}

std::string FitColumns(absl::string_view text, size_t columns) {
  std::string out;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const size_t indent = std::min(line.find_first_not_of(' '), columns / 2);
    std::string rest(line);
    size_t lead = indent;
    while (rest.size() > columns) {
      const size_t end = BreakOf(rest, lead, columns);
      absl::StrAppend(&out, absl::string_view(rest).substr(0, end), "\n");
      const size_t next = std::min(rest.find_first_not_of(' ', end), rest.size());
      lead = indent + kContinuation;
      rest = absl::StrCat(std::string(lead, ' '), rest.substr(next));
    }
    absl::StrAppend(&out, rest, "\n");
  }
  out.pop_back();  // behind the last line there was no line end
  return out;
}

}  // namespace sightline::server
