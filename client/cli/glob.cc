#include "client/cli/glob.h"

#include <algorithm>
#include <utility>

#include "absl/strings/strip.h"

namespace sightline::cli {
namespace {

// One sign of a pattern: what it takes of the text.
struct GlobSign {
  enum Kind { kOne, kAnyOne, kSet, kStar, kStarStar, kFolders } kind = kOne;
  char character = 0;
  bool negated = false;
  std::string set = {};  // of kSet: pairs of first and last character
};

// The set behind the '[' at `*i`; leaves `*i` at the ']'. False when there is none.
bool ParseSet(absl::string_view pattern, size_t* i, GlobSign* sign) {
  size_t at = *i + 1;
  sign->negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (sign->negated) ++at;
  // A ']' in front is a member of the set.
  for (bool first = true; at < pattern.size() && (first || pattern[at] != ']'); first = false, ++at) {
    const bool range = at + 2 < pattern.size() && pattern[at + 1] == '-' && pattern[at + 2] != ']';
    sign->set += {pattern[at], range ? pattern[at + 2] : pattern[at]};
    if (range) at += 2;
  }
  if (at >= pattern.size()) return false;
  sign->kind = GlobSign::kSet;
  *i = at;
  return true;
}

std::vector<GlobSign> ParseGlob(absl::string_view pattern) {
  std::vector<GlobSign> signs;
  for (size_t i = 0; i < pattern.size(); ++i) {
    GlobSign sign{.character = pattern[i]};
    if (pattern[i] == '*') {
      sign.kind = GlobSign::kStar;
      while (i + 1 < pattern.size() && pattern[i + 1] == '*') {
        sign.kind = GlobSign::kStarStar;
        ++i;
      }
      // "**/x" is also the x at the top: its slash belongs to the folders.
      if (sign.kind == GlobSign::kStarStar && i + 1 < pattern.size() && pattern[i + 1] == '/') {
        sign.kind = GlobSign::kFolders;
        ++i;
      }
    } else if (pattern[i] == '?') {
      sign.kind = GlobSign::kAnyOne;
    } else if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      sign.character = pattern[++i];
    } else if (pattern[i] == '[') {
      GlobSign set;
      if (ParseSet(pattern, &i, &set)) sign = set;
    }
    signs.push_back(sign);
  }
  return signs;
}

bool TakesOne(const GlobSign& sign, char c) {
  if (sign.kind == GlobSign::kOne) return c == sign.character;
  if (c == '/') return false;
  if (sign.kind == GlobSign::kAnyOne) return true;
  const auto byte = [](char value) { return static_cast<unsigned char>(value); };
  for (size_t i = 0; i + 1 < sign.set.size(); i += 2) {
    if (byte(sign.set[i]) <= byte(c) && byte(c) <= byte(sign.set[i + 1])) return !sign.negated;
  }
  return sign.negated;
}

// All prefixes of the pattern against all prefixes of the text, so that no pattern takes long.
bool Fits(const std::vector<GlobSign>& signs, absl::string_view text) {
  std::vector<bool> fits(text.size() + 1, false);
  fits[0] = true;
  for (const GlobSign& sign : signs) {
    std::vector<bool> next(text.size() + 1, false);
    if (sign.kind == GlobSign::kFolders) {
      bool any = false;
      for (size_t t = 0; t <= text.size(); ++t) {
        next[t] = fits[t] || (any && text[t - 1] == '/');
        any = any || fits[t];
      }
    } else if (sign.kind == GlobSign::kStar || sign.kind == GlobSign::kStarStar) {
      for (size_t t = 0; t <= text.size(); ++t) {
        next[t] = fits[t] || (t > 0 && next[t - 1] && (sign.kind == GlobSign::kStarStar || text[t - 1] != '/'));
      }
    } else {
      for (size_t t = 1; t <= text.size(); ++t) next[t] = fits[t - 1] && TakesOne(sign, text[t - 1]);
    }
    fits = std::move(next);
  }
  return fits[text.size()];
}

}  // namespace

bool GlobMatches(absl::string_view pattern, absl::string_view path) {
  absl::ConsumePrefix(&pattern, "./");
  absl::ConsumeSuffix(&pattern, "/");
  const bool whole = pattern.find('/') != absl::string_view::npos;
  absl::ConsumePrefix(&pattern, "/");
  if (!whole) path = path.substr(path.rfind('/') + 1);
  return Fits(ParseGlob(pattern), path);
}

bool AnyGlobMatches(const std::vector<std::string>& patterns, absl::string_view path) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return GlobMatches(pattern, path); });
}

}  // namespace sightline::cli
