#include "model/config/fields.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "model/weights/strict_json.h"

namespace sightline::model {
namespace {

using nlohmann::json;

const json& Nothing() {
  static const json* const nothing = new json(json::object());  // never destroyed: read until the process ends
  return *nothing;
}

}  // namespace

Fields::Fields(const json& object, absl::string_view path, absl::string_view file)
    : object_(object), path_(path), file_(file) {
  if (!object_.is_object()) Fail("", "must be an object");
}

std::string Fields::Path(absl::string_view key) const {
  if (path_.empty()) return std::string(key);
  return key.empty() ? path_ : absl::StrCat(path_, ".", key);
}

void Fields::Fail(absl::string_view key, absl::string_view rule) {
  if (!status_.ok()) return;
  const std::string path = Path(key);
  status_ = base::InvalidArgument(
      file_ == "model.json" ? "INVALID_MODEL_CONFIG" : "INVALID_CONFIG",
      absl::StrCat(file_, ": ", path.empty() ? "the file" : weights::Quoted(path), " ", rule, ". Correct ", file_, "."),
      {{"field", path}});
}

const json* Fields::Find(absl::string_view key, bool required) {
  if (!status_.ok()) return nullptr;
  const auto found = object_.find(std::string(key));
  if (found == object_.end()) {
    if (required) Fail(key, "is missing");
    return nullptr;
  }
  read_.insert(std::string(key));
  return &*found;
}

bool Fields::Has(absl::string_view key) const { return object_.is_object() && object_.contains(std::string(key)); }

int64_t Fields::Int(absl::string_view key, int64_t least, int64_t most, std::optional<int64_t> fallback) {
  const json* value = Find(key, !fallback.has_value());
  if (value == nullptr) return fallback.value_or(least);
  // Unsigned values beyond int64 would wrap when read as signed.
  const bool fits = value->is_number_integer() && (!value->is_number_unsigned() || value->get<uint64_t>() <= INT64_MAX);
  if (fits && value->get<int64_t>() >= least && value->get<int64_t>() <= most) return value->get<int64_t>();
  Fail(key,
       absl::StrCat("is ", weights::Quoted(value->dump()), "; it must be a whole number from ", least, " to ", most));
  return fallback.value_or(least);
}

double Fields::Number(absl::string_view key, double least, double most, std::optional<double> fallback) {
  const json* value = Find(key, !fallback.has_value());
  if (value == nullptr) return fallback.value_or(least);
  if (value->is_number() && value->get<double>() >= least && value->get<double>() <= most) return value->get<double>();
  Fail(key, absl::StrCat("is ", weights::Quoted(value->dump()), "; it must be a number from ", least, " to ", most));
  return fallback.value_or(least);
}

bool Fields::Bool(absl::string_view key, std::optional<bool> fallback) {
  const json* value = Find(key, !fallback.has_value());
  if (value == nullptr) return fallback.value_or(false);
  if (!value->is_boolean()) Fail(key, "must be true or false");
  return value->is_boolean() && value->get<bool>();
}

std::string Fields::Text(absl::string_view key, size_t max_bytes, std::optional<std::string> fallback) {
  const json* value = Find(key, !fallback.has_value());
  if (value == nullptr) return fallback.value_or("");
  if (value->is_string() && value->get_ref<const std::string&>().size() <= max_bytes) return value->get<std::string>();
  Fail(key, absl::StrCat("must be a string of at most ", max_bytes, " bytes"));
  return "";
}

int Fields::OneOf(absl::string_view key, absl::Span<const absl::string_view> choices, std::optional<int> fallback) {
  const json* value = Find(key, !fallback.has_value());
  if (value == nullptr) return fallback.value_or(0);
  for (size_t i = 0; i < choices.size(); ++i) {
    if (value->is_string() && value->get_ref<const std::string&>() == choices[i]) return static_cast<int>(i);
  }
  Fail(key, absl::StrCat("is ", weights::Quoted(value->dump(-1, ' ', false, json::error_handler_t::replace)),
                         "; it must be one of: ", absl::StrJoin(choices, ", ")));
  return 0;
}

std::vector<int> Fields::Ints(absl::string_view key, size_t min_count, size_t max_count, int least, int most,
                              const std::vector<int>& fallback) {
  if (!Has(key)) return fallback;
  std::vector<int> numbers;
  for (const json& value : List(key, min_count, max_count)) {
    // As a double, for an unsigned value beyond int64 would wrap when read as signed.
    const double number = value.is_number_integer() ? value.get<double>() : NAN;
    if (!(number >= least && number <= most)) {
      Fail(key, absl::StrCat("must hold whole numbers from ", least, " to ", most));
      break;
    }
    numbers.push_back(static_cast<int>(number));
  }
  return numbers;
}

std::vector<double> Fields::Numbers(absl::string_view key, size_t min_count, size_t max_count, double least,
                                    double most) {
  std::vector<double> numbers;
  for (const json& value : List(key, min_count, max_count)) {
    if (!value.is_number() || value.get<double>() < least || value.get<double>() > most) {
      Fail(key, absl::StrCat("must hold numbers from ", least, " to ", most));
      break;
    }
    numbers.push_back(value.get<double>());
  }
  return numbers;
}

const json& Fields::Object(absl::string_view key) {
  const json* value = Find(key, true);
  if (value == nullptr) return Nothing();
  if (value->is_object()) return *value;
  Fail(key, "must be an object");
  return Nothing();
}

const json& Fields::List(absl::string_view key, size_t min_count, size_t max_count) {
  const json* value = Find(key, true);
  if (value == nullptr) return Nothing();
  if (value->is_array() && value->size() >= min_count && value->size() <= max_count) return *value;
  Fail(key, absl::StrCat("must be a list of ", min_count, " to ", max_count, " values"));
  return Nothing();
}

void Fields::Require(bool holds, absl::string_view key, absl::string_view rule) {
  if (!holds) Fail(key, rule);
}

absl::Status Fields::Finish() {
  if (!status_.ok()) return status_;
  for (const auto& [key, value] : object_.items()) {
    if (!read_.contains(key)) {
      Fail(key, "is not a known field");
      break;
    }
  }
  return status_;
}

}  // namespace sightline::model
