#include "server/http/uri.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace sightline::server {
namespace {

constexpr size_t kMaxParameters = 256;
constexpr size_t kShownText = 80;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

bool IsUtf8(absl::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const auto lead = static_cast<unsigned char>(text[at]);
    if (lead < 0x80) {
      ++at;
      continue;
    }
    const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    if (lead < 0xC2 || lead > 0xF4 || at + static_cast<size_t>(more) >= text.size()) return false;
    uint32_t point = lead & (0x3Fu >> more);
    for (int i = 1; i <= more; ++i) {
      const auto next = static_cast<unsigned char>(text[at + static_cast<size_t>(i)]);
      if ((next & 0xC0) != 0x80) return false;
      point = point << 6 | (next & 0x3Fu);
    }
    // Longer than needed, half of a surrogate pair, or beyond the last character.
    if ((more == 2 && point < 0x800) || (more == 3 && (point < 0x10000 || point > 0x10FFFF))) return false;
    if (point >= 0xD800 && point <= 0xDFFF) return false;
    at += static_cast<size_t>(more) + 1;
  }
  return true;
}

absl::StatusOr<std::string> DecodePercent(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = high >= 0 ? HexDigit(text[i + 2]) : -1;
    if (low < 0) {
      return base::InvalidArgument(
          "ADDRESS_MALFORMED",
          absl::StrCat("'", text.substr(0, kShownText),
                       "' in the address holds a '%' without two hexadecimal digits behind it. Write a '%' itself as "
                       "%25."),
          {{"field", "path"}});
    }
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  if (!IsUtf8(out) || out.find('\0') != std::string::npos) {
    return base::InvalidArgument("ADDRESS_NOT_UTF8",
                                 absl::StrCat("'", text.substr(0, kShownText),
                                              "' in the address is not UTF-8, or holds a NUL. Encode the text as UTF-8 "
                                              "first, and then with percent signs."),
                                 {{"field", "path"}});
  }
  return out;
}

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseQuery(absl::string_view query) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const absl::string_view pair : absl::StrSplit(query, '&', absl::SkipEmpty())) {
    if (out.size() == kMaxParameters) {
      return base::InvalidArgument("TOO_MANY_PARAMETERS",
                                   absl::StrCat("the address has more than ", kMaxParameters,
                                                " parameters. Send them in the body of a POST instead."),
                                   {{"limit", absl::StrCat(kMaxParameters)}});
    }
    std::string text(pair);
    std::replace(text.begin(), text.end(), '+', ' ');
    const size_t equals = text.find('=');
    SIGHTLINE_ASSIGN_OR_RETURN(std::string key, DecodePercent(absl::string_view(text).substr(0, equals)));
    std::string value;
    if (equals != std::string::npos) {
      SIGHTLINE_ASSIGN_OR_RETURN(value, DecodePercent(absl::string_view(text).substr(equals + 1)));
    }
    out.emplace_back(std::move(key), std::move(value));
  }
  return out;
}

}  // namespace sightline::server
