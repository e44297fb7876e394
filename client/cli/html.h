// Html: text from outside, made safe for a page.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_CLIENT_CLI_HTML_H_
#define SIGHTLINE_CLIENT_CLI_HTML_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sightline::cli {

// `text` for an element's content or a quoted attribute: no markup, no line or paragraph separators, control characters
// and broken UTF-8 written as \xNN.
std::string HtmlText(absl::string_view text);

// The same, kept from reordering the text around it: an id may hold right-to-left characters or overrides.
std::string HtmlName(absl::string_view text);

// "image/jpeg", "image/png" or "image/webp" by the first bytes; "" for what browsers may not show.
std::string ImageMimeType(absl::string_view bytes);

// "data:image/jpeg;base64,...".
std::string DataUri(absl::string_view mime_type, absl::string_view bytes);

// "'sha256-...'": lets a Content-Security-Policy run or apply exactly this inline text.
std::string CspHash(absl::string_view inline_text);

// `words` as a shell takes them.
std::string ShellWords(const std::vector<std::string>& words);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_HTML_H_
