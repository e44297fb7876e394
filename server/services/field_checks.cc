#include "server/services/field_checks.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"

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

}  // namespace sightline::server
