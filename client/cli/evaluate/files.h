// BenchFiles: the pictures of a benchmark in folders: which go into the database, and which are the queries.
//
// Threading: a pure function of the file system. Failure: INVALID_ARGUMENT with reason MISSING_PICTURES or
// AMBIGUOUS_PICTURE, with the number and the first of them.
#ifndef SIGHTLINE_CLIENT_CLI_EVALUATE_FILES_H_
#define SIGHTLINE_CLIENT_CLI_EVALUATE_FILES_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/evaluate/benchmark.h"
#include "client/cli/image_files.h"

namespace sightline::cli {

// Before the ids of distractors. They are right for no query, whatever their names.
constexpr absl::string_view kDistractorPrefix = "distractors/";

struct BenchFiles {
  std::vector<ImageFile> database;  // distractors last
  int64_t distractors = 0;
  int64_t missing = 0;               // images of the benchmark that no file shows
  std::vector<std::string> queries;  // paths, in the order of the benchmark's queries
  std::vector<std::pair<std::string, absl::Status>> problems;
};

struct BenchFolders {
  std::string images = {};
  std::string queries = {};      // empty: the same
  std::string distractors = {};  // empty: none
  bool allow_missing = false;
};

absl::StatusOr<BenchFiles> FindBenchFiles(const Benchmark& benchmark, const BenchFolders& folders);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EVALUATE_FILES_H_
