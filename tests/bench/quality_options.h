// The command line of `sightline-bench quality`.
//
// Threading: pure function. Ownership: values. Failure: INVALID_ARGUMENT that names the argument.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const QualityOptions options, ParseQuality({"--sets", "grocery"}));
#ifndef SIGHTLINE_TESTS_BENCH_QUALITY_OPTIONS_H_
#define SIGHTLINE_TESTS_BENCH_QUALITY_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "index/rerank/transport_options.h"

namespace sightline::bench {

// A case of re-ranking.
struct TransportCase {
  std::string name;  // "partial 0.6 minus"
  index::rerank::TransportOptions options;
};

struct QualityOptions {
  bool quick = false;
  std::vector<std::string> models;  // folders with weights, beside dtop_tiny of the zoo
  std::vector<std::string> sets = {"grocery", "landmarks"};
  std::vector<std::string> methods = {"models", "seeds", "hsv", "pixels", "orb", "sift"};
  // The most pairs of pictures that ORB and SIFT each compare on a set; where there are more, fewer queries ask.
  int64_t pairs = 150'000;
  std::vector<TransportCase> transports;
  int64_t shortlist = 100;
};

absl::StatusOr<QualityOptions> ParseQuality(const std::vector<std::string>& arguments);

// The last part of the help.
extern const char kQualityUsage[];

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_QUALITY_OPTIONS_H_
