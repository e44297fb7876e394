// Thresholds: what --min_score, or --min_confidence where the collection has a confidence, would leave of a run, so
// that one can be chosen: the higher, the surer the answers and the fewer the queries that get one.
//
// Threading: a pure function. Failure: none.
#ifndef SIGHTLINE_CLIENT_CLI_EVALUATE_THRESHOLDS_H_
#define SIGHTLINE_CLIENT_CLI_EVALUATE_THRESHOLDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/evaluate/benchmark.h"
#include "client/cli/evaluate/score.h"

namespace sightline::cli {

// Results of less than `least` are gone. All are shares.
struct Threshold {
  double least = 0;
  double answered = 0;                // of the queries: they have a result left
  std::optional<double> first_right;  // of these: the one of the highest score is right
  std::optional<double> precision;    // of the results left: they are right
  double recall = 0;                  // of the right images: they are left
};

struct Thresholds {
  std::string by;  // "min_score" or "min_confidence"
  int64_t queries = 0;
  std::vector<Threshold> rows;  // ascending; none where no right image was found
};

// Of the main split. Queries without a right image count as such that should get no answer. `outcomes` are in the order
// of the queries.
Thresholds ThresholdsOf(const Benchmark& benchmark, const std::vector<QueryOutcome>& outcomes);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EVALUATE_THRESHOLDS_H_
