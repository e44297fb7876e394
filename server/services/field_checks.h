// Checks that many requests share.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT with field, limit and actual value.
#ifndef SIGHTLINE_SERVER_SERVICES_FIELD_CHECKS_H_
#define SIGHTLINE_SERVER_SERVICES_FIELD_CHECKS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "index/record.h"

namespace sightline::server {

// The most neighbours that a refinement or an augmentation takes.
inline constexpr int kMaxNeighbours = 1000;

// Refuses an empty field; `advice` is the sentence that says what to do.
absl::Status Required(const std::string& field, const std::string& value, const std::string& advice);

// `asked`, or the default of 100 for 0.
absl::StatusOr<int> PageSize(int asked, int limit);

// Refuses a number outside low to high.
absl::Status CheckRange(absl::string_view field, int64_t actual, int64_t low, int64_t high);

// Refuses NaN and infinities.
absl::Status CheckFinite(absl::string_view field, double actual);

// Refuses NaN, infinities and numbers outside low to high.
absl::Status CheckNumber(absl::string_view field, double actual, double low, double high);

// Whether it can be the exponent of a cosine as a weight: finite, 0 to 10.
absl::Status CheckAlpha(absl::string_view field, double actual);

// Refuses what can be no attribute's key.
absl::Status CheckAttributeKey(absl::string_view field, const std::string& key, const index::RecordLimits& limits);

// Refuses an enum's value that this version does not know.
absl::Status UnknownEnum(absl::string_view field, int value);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_FIELD_CHECKS_H_
