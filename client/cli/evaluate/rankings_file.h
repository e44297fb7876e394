// RankingsFile: rankings made elsewhere, to be measured here, and ours for others.
//
// A table query,rank,image with an optional column score; or JSON lines, each {"query":..,"rank":..,"image":..} or a
// whole ranking {"query":..,"images":[..]}. Smaller ranks are better; a query has each rank and each image once. Names
// are those of the benchmark: a file's folders and extension do not matter where the benchmark has none.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT with reason INVALID_RANKINGS or INVALID_CSV that names file and
// line.
#ifndef SIGHTLINE_CLIENT_CLI_EVALUATE_RANKINGS_FILE_H_
#define SIGHTLINE_CLIENT_CLI_EVALUATE_RANKINGS_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/evaluate/benchmark.h"
#include "client/cli/evaluate/score.h"

namespace sightline::cli {

struct RankingsFile {
  std::vector<Ranking> rankings;  // in the order of the benchmark's queries; empty where the file has none
  int64_t missing = 0;            // queries that the file has no ranking for
  int64_t unknown_images = 0;     // entries of images that the benchmark does not name
};

absl::StatusOr<RankingsFile> ParseRankings(const std::string& name, absl::string_view text, const Benchmark& benchmark);

// The lines of one ranking, without the header; fields are quoted where they must be.
std::string RankingLines(const std::string& query, const Ranking& ranking);

constexpr absl::string_view kRankingsHeader = "query,rank,image,score\n";

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EVALUATE_RANKINGS_FILE_H_
