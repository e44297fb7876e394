// The names of status codes, as gRPC writes them.
#ifndef SIGHTLINE_SERVER_CODE_NAMES_H_
#define SIGHTLINE_SERVER_CODE_NAMES_H_

#include "absl/status/status.h"

namespace sightline::server {

// Codes are 0 to kCodeCount - 1.
inline constexpr int kCodeCount = 17;

// "INVALID_ARGUMENT"; "UNKNOWN" for a code that is none.
const char* CodeName(absl::StatusCode code);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_CODE_NAMES_H_
