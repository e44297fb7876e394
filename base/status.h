// Errors as this project words them: an absl::Status whose message is one sentence that says what is wrong and one that
// says what to do, with a machine-readable reason and the facts (limit, actual value) attached as a payload.
//
// Threading: pure functions. Failure: none.
//
//   return base::Error(absl::StatusCode::kInvalidArgument, "IMAGE_TOO_LARGE",
//                      "image is 19000x19000 (361 MP); the limit is 50 MP. Resize it or raise --max_pixels.",
//                      {{"limit", "50000000"}, {"actual", "361000000"}});
#ifndef SIGHTLINE_BASE_STATUS_H_
#define SIGHTLINE_BASE_STATUS_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sightline::base {

// Facts about a failure, in the order they should be shown.
using ErrorFacts = std::vector<std::pair<std::string, std::string>>;

// What travels with a Status beside code and message.
struct ErrorInfo {
  std::string reason;  // UPPER_SNAKE_CASE
  ErrorFacts facts;
  std::optional<absl::Duration> retry_after;
};

absl::Status Error(absl::StatusCode code, absl::string_view reason, absl::string_view message, ErrorFacts facts = {});

// An error that goes away by itself: the caller should wait `retry_after` and try again.
absl::Status RetryableError(absl::StatusCode code, absl::string_view reason, absl::string_view message,
                            absl::Duration retry_after, ErrorFacts facts = {});

absl::Status InvalidArgument(absl::string_view reason, absl::string_view message, ErrorFacts facts = {});
absl::Status NotFound(absl::string_view reason, absl::string_view message, ErrorFacts facts = {});
absl::Status FailedPrecondition(absl::string_view reason, absl::string_view message, ErrorFacts facts = {});

// The info attached to `status`; a reason of "UNKNOWN" where the status was not made by this file.
ErrorInfo GetErrorInfo(const absl::Status& status);

}  // namespace sightline::base

// Returns from the enclosing function when `expr` is not OK.
#define SIGHTLINE_RETURN_IF_ERROR(expr)                                     \
  do {                                                                      \
    if (absl::Status sightline_status_ = (expr); !sightline_status_.ok()) { \
      return sightline_status_;                                             \
    }                                                                       \
  } while (false)

#define SIGHTLINE_CONCAT_INNER_(a, b) a##b
#define SIGHTLINE_CONCAT_(a, b) SIGHTLINE_CONCAT_INNER_(a, b)

// Declares or assigns `lhs` from a StatusOr, or returns its error.
#define SIGHTLINE_ASSIGN_OR_RETURN(lhs, expr)                              \
  auto SIGHTLINE_CONCAT_(sightline_or_, __LINE__) = (expr);                \
  if (!SIGHTLINE_CONCAT_(sightline_or_, __LINE__).ok()) {                  \
    return std::move(SIGHTLINE_CONCAT_(sightline_or_, __LINE__)).status(); \
  }                                                                        \
  lhs = *std::move(SIGHTLINE_CONCAT_(sightline_or_, __LINE__))

#endif  // SIGHTLINE_BASE_STATUS_H_
