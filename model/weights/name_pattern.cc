#include "model/weights/name_pattern.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace sightline::weights {
namespace {

struct Match {
  std::vector<int> numbers;
  absl::string_view text;
};

// Matches `pattern`, which has no star, at the beginning of `name` and removes what matched.
bool ConsumePattern(absl::string_view pattern, absl::string_view& name, std::vector<int>& numbers) {
  for (const char wanted : pattern) {
    if (wanted != '#') {
      if (name.empty() || name[0] != wanted) return false;
      name.remove_prefix(1);
      continue;
    }
    size_t digits = 0;
    while (digits < name.size() && absl::ascii_isdigit(static_cast<unsigned char>(name[digits]))) ++digits;
    int number = 0;
    if (!absl::SimpleAtoi(name.substr(0, digits), &number)) return false;
    numbers.push_back(number);
    name.remove_prefix(digits);
  }
  return true;
}

std::optional<Match> MatchName(absl::string_view name, absl::string_view pattern) {
  Match match;
  const size_t star = pattern.find('*');
  if (!ConsumePattern(pattern.substr(0, star), name, match.numbers)) return std::nullopt;
  if (star == absl::string_view::npos) return name.empty() ? std::optional(match) : std::nullopt;
  const absl::string_view end = pattern.substr(star + 1);
  if (!absl::EndsWith(name, end)) return std::nullopt;
  match.text = name.substr(0, name.size() - end.size());
  return match;
}

// The number that "{n}", "{n-1}" or "{n+1}" stands for.
std::optional<int> Number(absl::string_view reference, const std::vector<int>& numbers) {
  const auto index = static_cast<size_t>(reference[0] - '1');
  const int shift = reference.size() == 1 ? 0 : reference[1] == '-' ? -1 : 1;
  if (index >= numbers.size() || numbers[index] + shift < 0) return std::nullopt;
  return numbers[index] + shift;
}

}  // namespace

std::optional<std::string> Rename(absl::string_view name, absl::string_view from, absl::string_view to) {
  const std::optional<Match> match = MatchName(name, from);
  if (!match) return std::nullopt;
  std::string renamed;
  for (size_t i = 0; i < to.size(); ++i) {
    if (to[i] == '*') {
      absl::StrAppend(&renamed, match->text);
    } else if (to[i] == '{') {
      const size_t end = to.find('}', i);
      const std::optional<int> number = Number(to.substr(i + 1, end - i - 1), match->numbers);
      if (!number) return std::nullopt;
      absl::StrAppend(&renamed, *number);
      i = end;
    } else {
      renamed.push_back(to[i]);
    }
  }
  return renamed;
}

}  // namespace sightline::weights
