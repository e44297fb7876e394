// Labelled pairs of images, from a CSV file: "first_id,second_id,same" and a line for each pair. `same` is true, false,
// yes, no, 1 or 0. Fields may be quoted as RFC 4180 has it, so that an id may hold commas and quotes; an id holds no
// line breaks, so every pair is one line.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT that names the file and the line.
#ifndef SIGHTLINE_CLIENT_CLI_PAIRS_FILE_H_
#define SIGHTLINE_CLIENT_CLI_PAIRS_FILE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sightline/v1/collection_service.pb.h"

namespace sightline::cli {

// `name` is that of the file, for the errors.
absl::StatusOr<std::vector<v1::FitConfidenceRequest::Pair>> ParsePairs(const std::string& name, absl::string_view text);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_PAIRS_FILE_H_
