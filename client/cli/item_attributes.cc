#include "client/cli/item_attributes.h"

#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/status.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

constexpr int64_t kMaxTableBytes = int64_t{1} << 30;
constexpr int64_t kMaxSidecarBytes = 64 << 10;  // the server takes 8 KiB of attributes

absl::Status WrongSidecar(const std::string& name, absl::string_view problem) {
  return base::InvalidArgument("INVALID_SIDECAR", absl::StrCat(Printable(name), ": ", problem),
                               {{"path", Printable(name)}});
}

absl::StatusOr<v1::AttributeValue> SidecarValue(const std::string& name, const std::string& key,
                                                const nlohmann::json& json) {
  v1::AttributeValue value;
  if (json.is_string()) {
    value.set_string_value(json.get<std::string>());
  } else if (json.is_boolean()) {
    value.set_bool_value(json.get<bool>());
  } else if (json.is_number_unsigned() && json.get<uint64_t>() > std::numeric_limits<int64_t>::max()) {
    return WrongSidecar(name, absl::StrCat("\"", Printable(key), "\" is above the largest int64. Write it as a text."));
  } else if (json.is_number_integer()) {
    value.set_int64_value(json.get<int64_t>());
  } else if (json.is_number()) {
    value.set_double_value(json.get<double>());
  } else {
    bool texts = json.is_array();
    for (size_t i = 0; texts && i < json.size(); ++i) texts = json[i].is_string();
    if (!texts) {
      return WrongSidecar(name, absl::StrCat("\"", Printable(key),
                                             "\" is neither a text, a number, true or false, nor "
                                             "a list of texts. Make it one of these, or take it out."));
    }
    for (const auto& part : json) value.mutable_string_list()->add_values(part.get<std::string>());
  }
  return value;
}

// "./a//b.jpg" and "a/b.jpg" are one file.
std::string NormalPath(absl::string_view path) {
  return std::filesystem::path(std::string(path)).lexically_normal().generic_string();
}

}  // namespace

absl::StatusOr<AttributeMap> ParseSidecar(const std::string& name, absl::string_view text) {
  const auto json = nlohmann::json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return WrongSidecar(name, "it is not one JSON object in UTF-8. Write it as {\"key\": \"value\", ...}.");
  }
  AttributeMap attributes;
  for (const auto& [key, value] : json.items()) {
    if (value.is_null()) continue;
    SIGHTLINE_ASSIGN_OR_RETURN(attributes[key], SidecarValue(name, key, value));
  }
  return attributes;
}

absl::StatusOr<ItemAttributes> ItemAttributes::Load(Options options) {
  ItemAttributes attributes;
  attributes.common_ = std::move(options.common);
  attributes.sidecars_ = options.sidecars;
  if (!options.table.empty()) SIGHTLINE_RETURN_IF_ERROR(attributes.LoadTable(options.table));
  return attributes;
}

absl::Status ItemAttributes::LoadTable(const std::string& path) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaxTableBytes));
  SIGHTLINE_ASSIGN_OR_RETURN(base::CsvReader csv, base::CsvReader::Open(path, text));
  const bool by_id = csv.FindColumn("id").has_value();
  const auto naming = by_id ? csv.FindColumn("id") : csv.FindColumn("path");
  if (!naming) {
    return base::InvalidArgument("INVALID_CSV",
                                 absl::StrCat(Printable(path),
                                              " has no column \"id\" or \"path\". Add one that names "
                                              "the image of each row."),
                                 {{"file", Printable(path)}});
  }
  keys_ = csv.columns();
  keys_[*naming].clear();
  std::vector<std::string> arguments;
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) return absl::OkStatus();
    const std::string key = by_id ? std::string(csv[*naming]) : NormalPath(csv[*naming]);
    if (key.empty()) return csv.Wrong(*naming, "it must name an image. Fill it in, or take the row out.");
    const uint64_t begin = text_.size();
    for (size_t c = 0; c < keys_.size(); ++c) {
      absl::StrAppend(&text_, c == *naming ? absl::string_view() : csv[c], absl::string_view("\0", 1));
      if (c == *naming || csv[c].empty()) continue;
      if (!IsUtf8(csv[c])) return csv.Wrong(c, "it must be UTF-8. Save the file as UTF-8.");
      // Values are looked at before anything is sent.
      const auto value = ParseAttributes({absl::StrCat(keys_[c], "=", csv[c])});
      if (!value.ok()) {
        return csv.Wrong(c,
                         "it must suit the column's type: key, or key:type with string, int64, double, bool or "
                         "list. Correct the value or the column.");
      }
    }
    if (!rows_.emplace(key, Row{.begin = begin}).second) {
      return csv.Wrong(*naming, "another row has it already. Take one of them out.");
    }
  }
}

const ItemAttributes::Row* ItemAttributes::FindRow(const ImageFile& file) {
  auto found = rows_.find(file.id);
  if (found == rows_.end()) found = rows_.find(file.name);
  if (found == rows_.end()) found = rows_.find(NormalPath(file.path));
  if (found == rows_.end()) {
    ++without_row_;
    return nullptr;
  }
  if (!std::exchange(found->second.used, true)) ++used_;
  return &found->second;
}

absl::StatusOr<AttributeMap> ItemAttributes::Of(const ImageFile& file) {
  AttributeMap attributes = common_;
  const auto add = [&](const AttributeMap& more) {
    for (const auto& [key, value] : more) attributes[key] = value;
  };
  if (!keys_.empty()) {
    if (const Row* row = FindRow(file)) {
      const char* field = text_.data() + row->begin;
      for (const std::string& key : keys_) {
        const absl::string_view value(field);
        field += value.size() + 1;
        if (value.empty()) continue;
        SIGHTLINE_ASSIGN_OR_RETURN(const AttributeMap one, ParseAttributes({absl::StrCat(key, "=", value)}));
        add(one);
      }
    }
  }
  std::error_code none;
  const std::string sidecar = file.path + ".json";
  if (sidecars_ && std::filesystem::exists(sidecar, none)) {
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(sidecar, kMaxSidecarBytes));
    SIGHTLINE_ASSIGN_OR_RETURN(const AttributeMap own, ParseSidecar(sidecar, text));
    add(own);
  }
  return attributes;
}

}  // namespace sightline::cli
