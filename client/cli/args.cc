#include "client/cli/args.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

absl::Status UsageError(const std::string& verb, absl::string_view message, const std::string& word) {
  return base::InvalidArgument("USAGE",
                               absl::StrCat(message, " Run \"sightline ", verb, " --help\" for the flags it takes."),
                               {{"argument", word}});
}

absl::Status UnknownFlag(const std::string& verb, const std::vector<FlagSpec>& flags, const std::string& name) {
  std::vector<std::string> names;
  for (const FlagSpec& flag : flags) names.push_back(flag.name);
  const std::string near = Closest(name, names);
  const std::string written = absl::StrCat(name.size() == 1 ? "-" : "--", Printable(name));
  if (near.empty()) return UsageError(verb, absl::StrCat("unknown flag ", written, "."), written);
  return base::InvalidArgument("USAGE", absl::StrCat("unknown flag ", written, ". Did you mean --", near, "?"),
                               {{"argument", written}, {"near", near}});
}

bool ParseNumber(absl::string_view text, double* value) {
  return absl::SimpleAtod(text, value) && std::isfinite(*value);
}

// "" when `value` suits the flag, else what it should be.
std::string Expected(const FlagSpec& flag, const std::string& value) {
  int64_t whole = 0;
  double number = 0;
  bool boolean = false;
  absl::Duration span;
  switch (flag.kind) {
    case FlagKind::kText: return "";
    case FlagKind::kSwitch: return absl::SimpleAtob(value, &boolean) ? "" : "true or false";
    case FlagKind::kInt: return absl::SimpleAtoi(value, &whole) ? "" : "a whole number";
    case FlagKind::kNumber: return ParseNumber(value, &number) ? "" : "a number";
    case FlagKind::kDuration: return ParseSpan(value, &span) ? "" : "a time above 0, such as 5, 500ms or 2m";
  }
  return "";
}

}  // namespace

bool ParseSpan(absl::string_view text, absl::Duration* span) {
  double seconds = 0;
  if (ParseNumber(text, &seconds)) {
    *span = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, span)) {
    return false;
  }
  return *span > absl::ZeroDuration();
}

bool Args::Switch(const std::string& name) const {
  bool value = false;
  return Has(name) && absl::SimpleAtob(values_.at(name).back(), &value) && value;
}

std::string Args::Text(const std::string& name, absl::string_view otherwise) const {
  return Has(name) ? values_.at(name).back() : std::string(otherwise);
}

std::vector<std::string> Args::Texts(const std::string& name) const {
  return Has(name) ? values_.at(name) : std::vector<std::string>();
}

int64_t Args::Int(const std::string& name, int64_t otherwise) const {
  int64_t value = 0;
  return Has(name) && absl::SimpleAtoi(values_.at(name).back(), &value) ? value : otherwise;
}

int32_t Args::Int32(const std::string& name, int32_t otherwise) const {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  return static_cast<int32_t>(std::clamp(Int(name, otherwise), -kMost, kMost));
}

double Args::Number(const std::string& name, double otherwise) const {
  double value = 0;
  return Has(name) && ParseNumber(values_.at(name).back(), &value) ? value : otherwise;
}

absl::Duration Args::Span(const std::string& name, absl::Duration otherwise) const {
  absl::Duration value;
  return Has(name) && ParseSpan(values_.at(name).back(), &value) ? value : otherwise;
}

absl::StatusOr<Args> ParseArgs(const std::string& verb, const std::vector<FlagSpec>& flags,
                               const std::vector<std::string>& words) {
  Args args;
  args.words_ = words;
  bool flags_over = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (flags_over || word.size() < 2 || word[0] != '-') {
      args.operands_.push_back(word);
      continue;
    }
    if (word == "--") {
      flags_over = true;
      continue;
    }
    const bool is_long = word[1] == '-';
    const size_t equals = is_long ? word.find('=') : std::string::npos;
    const std::string name =
        is_long ? absl::StrReplaceAll(word.substr(2, equals == std::string::npos ? equals : equals - 2), {{"-", "_"}})
                : word.substr(1, 1);
    const auto flag = std::find_if(flags.begin(), flags.end(), [&](const FlagSpec& f) {
      return is_long ? f.name == name : f.short_name == name[0];
    });
    if (flag == flags.end()) return UnknownFlag(verb, flags, name);
    std::string value;
    if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (!is_long && word.size() > 2) {
      value = word.substr(2);
    } else if (flag->kind == FlagKind::kSwitch) {
      value = "true";
    } else if (i + 1 < words.size()) {
      value = words[++i];
    } else {
      return UsageError(verb, absl::StrCat("--", flag->name, " needs a value (", flag->value, ")."), word);
    }
    if (const std::string expected = Expected(*flag, value); !expected.empty()) {
      return UsageError(
          verb, absl::StrCat("--", flag->name, " is \"", Printable(value), "\"; it takes ", expected, "."), word);
    }
    auto& values = args.values_[flag->name];
    if (!flag->repeated) values.clear();
    values.push_back(std::move(value));
  }
  return args;
}

}  // namespace sightline::cli
