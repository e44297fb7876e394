#include "server/settings.h"

#include <cstdlib>

#include "absl/flags/reflection.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status.h"

namespace sightline::server {
namespace {

constexpr int64_t kMaxConfigBytes = 1 << 20;
constexpr char kEnvironmentPrefix[] = "SIGHTLINE_";
constexpr size_t kShownLine = 200;

// "max_batch" of "--max_batch=16"; empty for what is no flag.
absl::string_view NameOf(absl::string_view argument) {
  if (!absl::ConsumePrefix(&argument, "--") && !absl::ConsumePrefix(&argument, "-")) return "";
  return argument.substr(0, argument.find('='));
}

}  // namespace

Flags AllSettings() {
  Flags settings;
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    if (absl::EndsWith(flag->Filename(), "server/options.cc")) settings[std::string(name)] = flag;
  }
  return settings;
}

bool MayBeSecret(absl::string_view name) {
  if (absl::EndsWith(name, "_file") || absl::EndsWith(name, "_dir")) return false;
  return absl::StrContains(name, "secret") || absl::StrContains(name, "password") || absl::StrContains(name, "token") ||
         absl::StrContains(name, "key");
}

absl::Status ForEachSetting(
    absl::string_view text, absl::string_view file,
    absl::FunctionRef<absl::Status(const std::string& name, const std::string& value, const std::string& origin)> set) {
  int number = 0;
  for (const absl::string_view raw : absl::StrSplit(text, '\n')) {
    ++number;
    const std::string line(absl::StripAsciiWhitespace(raw.substr(0, raw.find('#'))));
    if (line.empty()) continue;
    const std::string origin = absl::StrCat(file, " line ", number);
    const size_t equals = line.find('=');
    const std::string name(absl::StripAsciiWhitespace(line.substr(0, equals)));
    if (equals == std::string::npos || name.empty() || name == "config") {
      return base::InvalidArgument("SETTING_UNKNOWN",
                                   absl::StrCat(origin, " reads '", line.substr(0, kShownLine),
                                                "', which sets nothing. Write `name = value`; --help lists the names."),
                                   {{"actual", line.substr(0, kShownLine)}});
    }
    SIGHTLINE_RETURN_IF_ERROR(
        set(name, std::string(absl::StripAsciiWhitespace(absl::string_view(line).substr(equals + 1))), origin));
  }
  return absl::OkStatus();
}

SettingSources::SettingSources(int argc, char** argv) {
  const Flags settings = AllSettings();
  const char* variable = std::getenv("SIGHTLINE_CONFIG");
  if (variable != nullptr) config_ = variable;
  for (int i = 1; i < argc; ++i) {
    const absl::string_view argument = argv[i];
    if (argument == "--") break;
    absl::string_view name = NameOf(argument);
    if (name == "config") {
      const size_t equals = argument.find('=');
      if (equals != absl::string_view::npos) {
        config_ = std::string(argument.substr(equals + 1));
      } else if (i + 1 < argc) {
        config_ = argv[i + 1];
      }
    }
    if (!settings.contains(std::string(name))) absl::ConsumePrefix(&name, "no");
    if (settings.contains(std::string(name))) pinned_.insert(std::string(name));
  }
}

absl::Status SettingSources::Set(absl::CommandLineFlag* flag, const std::string& value, const std::string& origin) {
  std::string error;
  if (flag->ParseFrom(value, &error)) return absl::OkStatus();
  return base::InvalidArgument(
      "SETTING_INVALID",
      absl::StrCat(origin, " sets ", std::string(flag->Name()), " to '", value, "', which it cannot be: ", error,
                   ". Correct it; --help lists every setting."),
      {{"field", std::string(flag->Name())}, {"actual", value}});
}

absl::Status SettingSources::ReadFile() {
  if (config_.empty()) return absl::OkStatus();
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(config_, kMaxConfigBytes));
  const Flags settings = AllSettings();
  return ForEachSetting(
      text, config_, [&](const std::string& name, const std::string& value, const std::string& origin) -> absl::Status {
        const auto setting = settings.find(name);
        if (setting == settings.end()) {
          return base::InvalidArgument(
              "SETTING_UNKNOWN",
              absl::StrCat(origin, " sets '", name.substr(0, kShownLine),
                           "', which is no setting. Write `name = value`; --help lists the names."),
              {{"actual", name.substr(0, kShownLine)}});
        }
        return pinned_.contains(name) && !before_line_.empty() ? absl::OkStatus() : Set(setting->second, value, origin);
      });
}

absl::Status SettingSources::ReadEnvironment() {
  for (const auto& [name, flag] : AllSettings()) {
    const std::string variable = absl::StrCat(kEnvironmentPrefix, absl::AsciiStrToUpper(name));
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr || (pinned_.contains(name) && !before_line_.empty())) continue;
    SIGHTLINE_RETURN_IF_ERROR(Set(flag, value, absl::StrCat("the environment variable ", variable)));
  }
  return absl::OkStatus();
}

absl::Status SettingSources::Read() {
  SIGHTLINE_RETURN_IF_ERROR(ReadFile());
  SIGHTLINE_RETURN_IF_ERROR(ReadEnvironment());
  before_line_ = Values();
  return absl::OkStatus();
}

void SettingSources::PinCommandLine() {
  // Beside those that it names, those that absl took from a --flagfile.
  for (const auto& [name, value] : Values()) {
    if (before_line_[name] != value) pinned_.insert(name);
  }
}

absl::Status SettingSources::ReadAgain() {
  const std::map<std::string, std::string> kept = Values();
  const Flags settings = AllSettings();
  const auto set_all = [&](const std::map<std::string, std::string>& values) {
    std::string error;  // cannot be: the values are the flags' own
    for (const auto& [name, value] : values) settings.at(name)->ParseFrom(value, &error);
  };
  std::map<std::string, std::string> defaults;
  for (const auto& [name, flag] : settings) {
    if (!pinned_.contains(name)) defaults[name] = flag->DefaultValue();
  }
  set_all(defaults);
  absl::Status status = ReadFile();
  if (status.ok()) status = ReadEnvironment();
  if (!status.ok()) set_all(kept);
  return status;
}

std::map<std::string, std::string> SettingSources::Values() {
  std::map<std::string, std::string> values;
  for (const auto& [name, flag] : AllSettings()) values[name] = flag->CurrentValue();
  return values;
}

std::vector<std::pair<std::string, std::string>> SettingSources::Changed() {
  std::vector<std::pair<std::string, std::string>> changed;
  for (const auto& [name, flag] : AllSettings()) {
    if (flag->CurrentValue() == flag->DefaultValue()) continue;
    changed.emplace_back(name, MayBeSecret(name) ? "(set)" : flag->CurrentValue());
  }
  return changed;
}

}  // namespace sightline::server
