// The protocols that `sightline evaluate` knows: each reads the ground truth of a benchmark in the files it is
// published in. docs/evaluation.md says where these come from and what each protocol counts.
//
// Threading: pure functions of the file system. Failure: the error of the file system, or INVALID_ARGUMENT that names
// file and line.
#ifndef SIGHTLINE_CLIENT_CLI_EVALUATE_PROTOCOLS_H_
#define SIGHTLINE_CLIENT_CLI_EVALUATE_PROTOCOLS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/evaluate/benchmark.h"

namespace sightline::cli {

struct ProtocolOptions {
  std::string label = "label";  // csv: the column that names what an image shows
};

// ROxford5k, RParis6k: gnd_*.pkl with easy, hard and junk lists.
absl::StatusOr<Benchmark> ReadRevisited(const std::string& path, const ProtocolOptions& options);
// Oxford5k, Paris6k: the folder of *_query.txt, *_good.txt, *_ok.txt and *_junk.txt, or a gnd_*.pkl with ok and junk.
absl::StatusOr<Benchmark> ReadOxford(const std::string& path, const ProtocolOptions& options);
// Google Landmarks v2: retrieval_solution_v2*.csv.
absl::StatusOr<Benchmark> ReadGldv2(const std::string& path, const ProtocolOptions& options);
// SOP's Ebay_test.txt, the folder of CUB-200-2011, or a folder with a folder of pictures for every class.
absl::StatusOr<Benchmark> ReadMetricLearning(const std::string& path, const ProtocolOptions& options);
// Mapillary Street-Level Sequences: the folder of a city, or one of cities.
absl::StatusOr<Benchmark> ReadMsls(const std::string& path, const ProtocolOptions& options);
// The folder of pictures, or a list of their names, a line each.
absl::StatusOr<Benchmark> ReadUkbench(const std::string& path, const ProtocolOptions& options);
absl::StatusOr<Benchmark> ReadHolidays(const std::string& path, const ProtocolOptions& options);
// A table path,split,label (or path,label), or one of query,image,relevance.
absl::StatusOr<Benchmark> ReadTable(const std::string& path, const ProtocolOptions& options);

struct Protocol {
  std::string name;
  absl::StatusOr<Benchmark> (*read)(const std::string& path, const ProtocolOptions& options);
};

const std::vector<Protocol>& Protocols();

// What `protocol` reads, checked: images have a name each, and so have queries. With two of one name, rankings would
// give both to the first, and the measures would be wrong without a word.
absl::StatusOr<Benchmark> ReadBenchmark(const Protocol& protocol, const std::string& path,
                                        const ProtocolOptions& options);

// What a file looks like: "revisited" for *.pkl, "gldv2" for a solution of it, "csv" for other tables; else "".
std::string ProtocolOf(const std::string& path);

// Names of pictures: of those in a folder, or the lines of a file. As stems, where asked for.
absl::StatusOr<std::vector<std::string>> PictureNames(const std::string& path, bool stems);

// At most 1 GiB.
absl::StatusOr<std::string> ReadGroundTruth(const std::string& path);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EVALUATE_PROTOCOLS_H_
