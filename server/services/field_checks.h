// Checks that many requests share.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT with field, limit and actual value.
#ifndef SIGHTLINE_SERVER_SERVICES_FIELD_CHECKS_H_
#define SIGHTLINE_SERVER_SERVICES_FIELD_CHECKS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sightline::server {

// Refuses an empty field; `advice` is the sentence that says what to do.
absl::Status Required(const std::string& field, const std::string& value, const std::string& advice);

// `asked`, or the default of 100 for 0.
absl::StatusOr<int> PageSize(int asked, int limit);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_FIELD_CHECKS_H_
