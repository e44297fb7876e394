#include "server/services/field_checks.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/validate.h"

namespace sightline::server {

absl::Status Required(const std::string& field, const std::string& value, const std::string& advice) {
  if (!value.empty()) return absl::OkStatus();
  return base::InvalidArgument("FIELD_MISSING", absl::StrCat("`", field, "` is empty. ", advice), {{"field", field}});
}

absl::StatusOr<int> PageSize(int asked, int limit) {
  constexpr int kDefault = 100;
  if (asked == 0) return kDefault;
  if (asked > 0 && asked <= limit) return asked;
  return base::InvalidArgument(
      "VALUE_OUT_OF_RANGE",
      absl::StrCat("page_size is ", asked, "; it must be 0 (the default) to ", limit, ". Correct it."),
      {{"field", "page_size"}, {"actual", absl::StrCat(asked)}, {"limit", absl::StrCat(limit)}});
}

absl::Status CheckRange(absl::string_view field, int64_t actual, int64_t low, int64_t high) {
  if (actual >= low && actual <= high) return absl::OkStatus();
  return base::InvalidArgument(
      "VALUE_OUT_OF_RANGE", absl::StrCat(field, " is ", actual, "; it must be ", low, " to ", high, ". Correct it."),
      {{"field", std::string(field)}, {"actual", absl::StrCat(actual)}, {"limit", absl::StrCat(high)}});
}

absl::Status CheckFinite(absl::string_view field, double actual) {
  if (std::isfinite(actual)) return absl::OkStatus();
  return base::InvalidArgument("VALUE_NOT_FINITE",
                               absl::StrCat(field, " is not a finite number. Send a number, or leave the field out."),
                               {{"field", std::string(field)}, {"actual", absl::StrCat(actual)}});
}

absl::Status CheckNumber(absl::string_view field, double actual, double low, double high) {
  SIGHTLINE_RETURN_IF_ERROR(CheckFinite(field, actual));
  if (actual >= low && actual <= high) return absl::OkStatus();
  return base::InvalidArgument(
      "VALUE_OUT_OF_RANGE", absl::StrCat(field, " is ", actual, "; it must be ", low, " to ", high, ". Correct it."),
      {{"field", std::string(field)}, {"actual", absl::StrCat(actual)}, {"limit", absl::StrCat(high)}});
}

absl::Status CheckAlpha(absl::string_view field, double actual) { return CheckNumber(field, actual, 0, 10); }

absl::Status CheckAttributeKey(absl::string_view field, const std::string& key, const index::RecordLimits& limits) {
  if (index::ValidateAttributes({{key, true}}, limits).ok()) return absl::OkStatus();
  return base::InvalidArgument(
      "ATTRIBUTE_KEY_INVALID",
      absl::StrCat(field, " is \"", absl::string_view(key).substr(0, 64),
                   "\", which can be no attribute's key: it has 1 to ", limits.max_key_bytes,
                   " letters, digits, '_', '-' and '.', and starts with a letter. Correct it."),
      {{"field", std::string(field)},
       {"actual", absl::StrCat(key.size())},
       {"limit", absl::StrCat(limits.max_key_bytes)}});
}

absl::Status UnknownEnum(absl::string_view field, int value) {
  return base::InvalidArgument(
      "ENUM_VALUE_UNKNOWN",
      absl::StrCat(field, " is ", value, ", which this version does not know. Use a value of the published API."),
      {{"field", std::string(field)}, {"actual", absl::StrCat(value)}});
}

}  // namespace sightline::server
