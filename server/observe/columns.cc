#include "server/observe/columns.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sightline::server {
namespace {

constexpr size_t kContinuation = 4;
constexpr size_t kUtf8Bytes = 4;  // of the longest sequence

// Where a line that starts with `text` may end: behind `most` bytes at the latest, not within a UTF-8 sequence, and
// always behind the `lead` spaces that it starts with, or the rest would never get shorter. More bytes of the middle of
// a sequence than one can have are no UTF-8, and are broken anywhere.
size_t BreakOf(absl::string_view text, size_t lead, size_t most) {
  const size_t space = text.rfind(' ', most);
  if (space != absl::string_view::npos && space > lead) return space;
  for (size_t end = most; end > most - kUtf8Bytes; --end) {
    if ((static_cast<unsigned char>(text[end]) & 0xC0) != 0x80) return end;
  }
  return most;
}

}  // namespace

std::string Printable(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = [&](size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0; };
    // U+0080 to U+009F are control characters, too, and some terminals obey them.
    const bool late_control = byte(i) == 0xC2 && byte(i + 1) >= 0x80 && byte(i + 1) <= 0x9F;
    out += byte(i) < 0x20 || byte(i) == 0x7F || late_control ? '?' : text[i];
    if (late_control) ++i;
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
      lead = std::min(indent + kContinuation, columns - kUtf8Bytes);
      rest = absl::StrCat(std::string(lead, ' '), rest.substr(next));
    }
    absl::StrAppend(&out, rest, "\n");
  }
  out.pop_back();  // behind the last line there was no line end
  return out;
}

}  // namespace sightline::server
