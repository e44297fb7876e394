#include "server/security/key_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/status.h"
#include "index/collection.h"

namespace sightline::server {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxNameBytes = 128;
constexpr size_t kMaxPatterns = 1000;
// Below it a bucket would take more than an hour to let the next request through.
constexpr double kLeastPerSecond = 1.0 / 3600;
constexpr double kMostPerSecond = 1e6;
constexpr int kMaxDepth = 4;

// What is wrong, where, and what to do.
absl::Status Refuse(const std::string& where, absl::string_view problem, absl::string_view remedy) {
  return base::InvalidArgument("KEY_FILE_INVALID", absl::StrCat(where, " ", problem, ". ", remedy),
                               {{"field", "api_keys"}, {"actual", where}});
}

// nlohmann keeps the last of two fields of one name and nests as deep as the stack: both are refused here.
class StrictParse {
 public:
  bool operator()(int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start) {
      too_deep_ = too_deep_ || depth >= kMaxDepth;
      names_.emplace_back();
    } else if (event == Json::parse_event_t::object_end || event == Json::parse_event_t::array_end) {
      if (!names_.empty()) names_.pop_back();
    } else if (event == Json::parse_event_t::key && !names_.empty()) {
      const std::string name = parsed.get<std::string>();
      if (!names_.back().insert(name).second && twice_.empty()) twice_ = name;
    }
    // What lies too deep is not kept.
    return depth <= kMaxDepth;
  }
  bool too_deep() const { return too_deep_; }
  const std::string& twice() const { return twice_; }

 private:
  std::vector<std::set<std::string>> names_;
  std::string twice_;
  bool too_deep_ = false;
};

// For an error: what a stranger may have written, short and printable.
std::string Quoted(absl::string_view text) { return absl::StrCat("'", absl::CHexEscape(text.substr(0, 64)), "'"); }

bool IsPlain(absl::string_view text, size_t limit) {
  if (text.empty() || text.size() > limit) return false;
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c != 0x7F; });
}

absl::StatusOr<std::string> TextOf(const std::string& where, const Json& value, const char* field, size_t limit) {
  if (value.is_string() && IsPlain(value.get_ref<const std::string&>(), limit)) return value.get<std::string>();
  return Refuse(where, absl::StrCat("has a ", field, " that is no text of 1 to ", limit, " printable bytes"),
                "Correct it.");
}

absl::StatusOr<double> NumberOf(const std::string& where, const Json& value, const char* field, double low,
                                double high) {
  if (value.is_number() && value.get<double>() >= low && value.get<double>() <= high) return value.get<double>();
  return Refuse(where,
                absl::StrCat("has a ", field, " of ", value.is_number() ? value.dump() : value.type_name(),
                             "; it must be a number from ", low, " to ", high),
                "Correct it.");
}

absl::StatusOr<KeyDigest> DigestOf(const std::string& where, const Json& value) {
  if (value.is_string()) {
    const std::string& text = value.get_ref<const std::string&>();
    if (text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isxdigit(c); })) {
      const std::string bytes = absl::HexStringToBytes(text);
      KeyDigest digest;
      std::copy(bytes.begin(), bytes.end(), digest.begin());
      return digest;
    }
  }
  return Refuse(where, "has a sha256 that is not 64 hexadecimal digits",
                "Write the SHA-256 of the key, as `sightline keys create` prints it, not the key itself.");
}

absl::StatusOr<Access> ScopeOf(const std::string& where, const Json& value) {
  if (value == "read") return Access::kRead;
  if (value == "write") return Access::kWrite;
  if (value == "admin") return Access::kAdmin;
  return Refuse(where, "has a scope that is none of read, write and admin", "Write one of them.");
}

absl::StatusOr<std::vector<std::string>> CollectionsOf(const std::string& where, const Json& value) {
  // An empty list may be meant as none or as all: neither is guessed.
  if (!value.is_array() || value.empty() || value.size() > kMaxPatterns) {
    return Refuse(where, absl::StrCat("has collections that are no list of 1 to ", kMaxPatterns, " names"),
                  "Leave the field out for every collection.");
  }
  std::vector<std::string> patterns;
  for (const Json& element : value) {
    const std::string name = element.is_string() ? element.get<std::string>() : "";
    absl::string_view bare = name;
    const bool prefix = absl::ConsumeSuffix(&bare, "*");
    if (bare.empty() ? !prefix : !index::ValidateCollectionName(std::string(bare)).ok()) {
      return Refuse(where,
                    absl::StrCat("lists the collection ", element.is_string() ? Quoted(name) : element.type_name(),
                                 ", which is no collection's name and no beginning of one with * behind it"),
                    "Write names such as \"shop\" or \"shop-*\".");
    }
    patterns.push_back(name);
  }
  return patterns;
}

absl::StatusOr<absl::Time> TimeOf(const std::string& where, const Json& value) {
  absl::Time time;
  std::string ignored;
  if (value.is_string() && absl::ParseTime(absl::RFC3339_full, value.get<std::string>(), &time, &ignored) &&
      time != absl::InfiniteFuture() && time != absl::InfinitePast()) {
    return time;
  }
  return Refuse(where, "expires at what is no time", "Write it as RFC 3339, with its zone: 2027-01-31T00:00:00Z.");
}

absl::StatusOr<KeyRate> RateOf(const std::string& where, const Json& value) {
  if (!value.is_object() || !value.contains("per_second")) {
    return Refuse(where, "has a rate without per_second", R"(Write {"per_second": 50, "burst": 100}.)");
  }
  KeyRate rate;
  for (const auto& [field, number] : value.items()) {
    if (field == "per_second") {
      SIGHTLINE_ASSIGN_OR_RETURN(rate.per_second,
                                 NumberOf(where, number, "rate.per_second", kLeastPerSecond, kMostPerSecond));
    } else if (field == "burst") {
      SIGHTLINE_ASSIGN_OR_RETURN(rate.burst, NumberOf(where, number, "rate.burst", 1, kMostPerSecond));
    } else {
      return Refuse(where, absl::StrCat("has the unknown field rate.", Quoted(field)),
                    "A rate has per_second and burst.");
    }
  }
  if (rate.burst == 0) rate.burst = std::max(1.0, std::ceil(rate.per_second));
  return rate;
}

absl::StatusOr<ApiKey> KeyOf(const std::string& where, const Json& entry) {
  if (!entry.is_object()) return Refuse(where, absl::StrCat("is ", entry.type_name()), "Write an object.");
  ApiKey key;
  bool has_scope = false;
  for (const auto& [field, value] : entry.items()) {
    if (field == "name") {
      SIGHTLINE_ASSIGN_OR_RETURN(key.name, TextOf(where, value, "name", kMaxNameBytes));
    } else if (field == "sha256") {
      SIGHTLINE_ASSIGN_OR_RETURN(key.sha256, DigestOf(where, value));
    } else if (field == "certificate") {
      SIGHTLINE_ASSIGN_OR_RETURN(key.certificate, TextOf(where, value, "certificate", kMaxNameBytes));
    } else if (field == "scope") {
      SIGHTLINE_ASSIGN_OR_RETURN(key.scope, ScopeOf(where, value));
      has_scope = true;
    } else if (field == "collections") {
      SIGHTLINE_ASSIGN_OR_RETURN(key.collections, CollectionsOf(where, value));
    } else if (field == "expires") {
      SIGHTLINE_ASSIGN_OR_RETURN(key.expires, TimeOf(where, value));
    } else if (field == "rate") {
      SIGHTLINE_ASSIGN_OR_RETURN(key.rate, RateOf(where, value));
    } else if (field == "max_in_flight") {
      SIGHTLINE_ASSIGN_OR_RETURN(const double number, NumberOf(where, value, "max_in_flight", 1, 1 << 20));
      if (number != std::floor(number))
        return Refuse(where, "has a max_in_flight that is no whole number", "Round it.");
      key.max_in_flight = static_cast<int>(number);
    } else {
      return Refuse(where, absl::StrCat("has the unknown field ", Quoted(field)),
                    "Fields are name, sha256, certificate, scope, collections, expires, rate and max_in_flight.");
    }
  }
  if (key.name.empty()) return Refuse(where, "has no name", "Name it: the log and the audit log show the name.");
  if (!has_scope) return Refuse(where, "has no scope", "Write read, write or admin.");
  if (!key.sha256.has_value() && key.certificate.empty()) {
    return Refuse(where, "has neither sha256 nor certificate, so that nobody can use it",
                  "Write one of them, or remove the entry.");
  }
  return key;
}

}  // namespace

absl::StatusOr<std::vector<ApiKey>> ParseKeyFile(const std::string& origin, absl::string_view text) {
  StrictParse strict;
  const Json json = Json::parse(text.begin(), text.end(), std::ref(strict), /*allow_exceptions=*/false);
  if (strict.too_deep()) return Refuse(origin, absl::StrCat("nests deeper than ", kMaxDepth, " levels"), "Flatten it.");
  if (json.is_discarded()) return Refuse(origin, "is not JSON", "Check it, with `jq . FILE` for example.");
  if (!strict.twice().empty()) {
    return Refuse(origin, absl::StrCat("has the field ", Quoted(strict.twice()), " twice in one object"),
                  "Remove one.");
  }
  if (!json.is_object() || json.size() != 1 || !json.contains("keys") || !json["keys"].is_array()) {
    return Refuse(origin, "is not an object with one list named keys", R"(Write {"keys": [...]}.)");
  }
  const Json& list = json["keys"];
  if (list.size() > kMaxKeys) {
    return Refuse(origin, absl::StrCat("lists ", list.size(), " keys; the limit is ", kMaxKeys), "Remove some.");
  }
  std::vector<ApiKey> keys;
  std::set<std::string> names, certificates;
  std::set<KeyDigest> digests;
  for (const Json& entry : list) {
    std::string where = absl::StrCat(origin, ": key ", keys.size() + 1);
    SIGHTLINE_ASSIGN_OR_RETURN(ApiKey key, KeyOf(where, entry));
    where = absl::StrCat(where, " ('", key.name, "')");
    if (!names.insert(key.name).second) return Refuse(where, "has the name of an earlier one", "Names are given once.");
    if (key.sha256.has_value() && !digests.insert(*key.sha256).second) {
      return Refuse(where, "has the sha256 of an earlier one", "Create a key for each caller.");
    }
    if (!key.certificate.empty() && !certificates.insert(key.certificate).second) {
      return Refuse(where, "has the certificate of an earlier one", "A certificate stands for one key.");
    }
    keys.push_back(std::move(key));
  }
  return keys;
}

absl::StatusOr<std::vector<ApiKey>> ReadKeyFile(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && (info.st_mode & S_IWOTH) != 0) {
    return Refuse(path, "may be written by every user of this machine, who could add a key", "Run chmod o-w on it.");
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaxKeyFileBytes));
  return ParseKeyFile(path, text);
}

}  // namespace sightline::server
