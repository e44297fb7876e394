#include "model/train/flags.h"

#include <algorithm>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::train {
namespace {

absl::Status Unknown(const std::string& name, const std::vector<FlagSpec>& specs) {
  std::string known;
  for (const FlagSpec& spec : specs) absl::StrAppend(&known, known.empty() ? "--" : ", --", spec.name);
  return base::InvalidArgument("FLAG_UNKNOWN",
                               absl::StrCat("flag --", name, " is not known. Give one of ", known, ", or --help."));
}

}  // namespace

absl::StatusOr<Flags> Flags::Parse(const std::vector<std::string>& arguments, const std::vector<FlagSpec>& specs) {
  Flags flags;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (!absl::StartsWith(argument, "--")) {
      flags.positional_.push_back(argument);
      continue;
    }
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    const auto spec = std::find_if(specs.begin(), specs.end(), [&](const FlagSpec& s) { return s.name == name; });
    if (spec == specs.end()) return Unknown(name, specs);
    if (spec->value.empty()) {
      if (equals != std::string::npos) {
        return base::InvalidArgument("FLAG_INVALID",
                                     absl::StrCat("flag --", name, " takes no value. Write just --", name, "."));
      }
      flags.values_[name] = "";
    } else if (equals != std::string::npos) {
      flags.values_[name] = argument.substr(equals + 1);
    } else if (i + 1 < arguments.size()) {
      flags.values_[name] = arguments[++i];
    } else {
      return base::InvalidArgument(
          "FLAG_INVALID", absl::StrCat("flag --", name, " has no value. Write --", name, " ", spec->value, "."));
    }
  }
  return flags;
}

std::string Flags::Text(const std::string& name, const std::string& otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : found->second;
}

absl::StatusOr<int64_t> Flags::Integer(const std::string& name, int64_t otherwise) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return otherwise;
  int64_t value = 0;
  if (absl::SimpleAtoi(found->second, &value)) return value;
  return base::InvalidArgument("FLAG_INVALID", absl::StrCat("flag --", name, " is \"", found->second,
                                                            "\", which is not a whole number. Give one."));
}

absl::StatusOr<int64_t> Flags::IntegerWithin(const std::string& name, int64_t otherwise, int64_t least,
                                             int64_t most) const {
  SIGHTLINE_ASSIGN_OR_RETURN(const int64_t value, Integer(name, otherwise));
  if (value >= least && value <= most) return value;
  return base::InvalidArgument("SETTING_OUT_OF_RANGE",
                               absl::StrCat("--", name, " is ", value, ". Give ", least, " to ", most, "."));
}

absl::StatusOr<int> Flags::Int(const std::string& name, int otherwise) const {
  SIGHTLINE_ASSIGN_OR_RETURN(const int64_t value, Integer(name, otherwise));
  if (value >= std::numeric_limits<int>::min() && value <= std::numeric_limits<int>::max()) {
    return static_cast<int>(value);
  }
  return base::InvalidArgument(
      "SETTING_OUT_OF_RANGE",
      absl::StrCat("--", name, " is ", value, ", far out of range. Give a value that --help names."));
}

absl::StatusOr<int> Flags::Threads() const {
  constexpr int64_t kMostThreads = 1024;
  SIGHTLINE_ASSIGN_OR_RETURN(const int64_t threads, IntegerWithin("threads", 0, 0, kMostThreads));
  return static_cast<int>(threads);
}

absl::StatusOr<double> Flags::Number(const std::string& name, double otherwise) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return otherwise;
  double value = 0;
  if (absl::SimpleAtod(found->second, &value)) return value;
  return base::InvalidArgument(
      "FLAG_INVALID", absl::StrCat("flag --", name, " is \"", found->second, "\", which is not a number. Give one."));
}

}  // namespace sightline::train
