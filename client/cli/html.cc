#include "client/cli/html.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/sha256.h"
#include "client/cli/text.h"

namespace sightline::cli {

std::string HtmlText(absl::string_view text) {
  return absl::StrReplaceAll(Printable(text), {{"&", "&amp;"},
                                               {"<", "&lt;"},
                                               {">", "&gt;"},
                                               {"\"", "&quot;"},
                                               {"'", "&#39;"},
                                               {"`", "&#96;"},
                                               {"\u2028", "\\u2028"},
                                               {"\u2029", "\\u2029"}});
}

std::string HtmlName(absl::string_view text) { return absl::StrCat("<bdi>", HtmlText(text), "</bdi>"); }

std::string ImageMimeType(absl::string_view bytes) {
  if (absl::StartsWith(bytes, "\xFF\xD8\xFF")) return "image/jpeg";
  if (absl::StartsWith(bytes, "\x89PNG\r\n\x1A\n")) return "image/png";
  if (absl::StartsWith(bytes, "RIFF") && absl::StartsWith(bytes.substr(std::min<size_t>(8, bytes.size())), "WEBP")) {
    return "image/webp";
  }
  return "";
}

std::string DataUri(absl::string_view mime_type, absl::string_view bytes) {
  return absl::StrCat("data:", mime_type, ";base64,", absl::Base64Escape(bytes));
}

std::string CspHash(absl::string_view inline_text) {
  return absl::StrCat("'sha256-", absl::Base64Escape(absl::HexStringToBytes(base::Sha256Hex(inline_text))), "'");
}

std::string ShellWords(const std::vector<std::string>& words) {
  const auto plain = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("_./:=,@%+-", c);
  };
  return absl::StrJoin(words, " ", [&](std::string* out, const std::string& word) {
    if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) {
      absl::StrAppend(out, word);
    } else {
      absl::StrAppend(out, "'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
    }
  });
}

}  // namespace sightline::cli
