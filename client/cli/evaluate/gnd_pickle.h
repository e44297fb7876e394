// GndPickle: the ground truth of landmark benchmarks as Python programs exchange it: a dict of `imlist` and `qimlist`
// (names) and `gnd`, for each query a dict of `bbx` and of lists of indices into `imlist`.
//
// Threading: a pure function. Failure: INVALID_ARGUMENT that names the file. Nothing in the file is run.
#ifndef SIGHTLINE_CLIENT_CLI_EVALUATE_GND_PICKLE_H_
#define SIGHTLINE_CLIENT_CLI_EVALUATE_GND_PICKLE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/evaluate/benchmark.h"

namespace sightline::cli {

// Reads images and queries. `lists` are the names of the lists that every query must have, and the grades they give.
absl::StatusOr<Benchmark> ReadGndPickle(const std::string& path,
                                        const std::vector<std::pair<std::string, Grade>>& lists);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EVALUATE_GND_PICKLE_H_
