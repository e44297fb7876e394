// What every bench prints: one JSON object per line.
//
// Threading: one thread. Failure: none.
#ifndef SIGHTLINE_TESTS_BENCH_REPORT_H_
#define SIGHTLINE_TESTS_BENCH_REPORT_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace sightline::bench {

struct Row {
  std::string bench;
  std::string name;  // short and stable: `case` in the output
  double value = 0;
  std::string unit;
  // Measured in the same run.
  std::string peer = {};
  std::optional<double> peer_value = std::nullopt;
  bool higher_is_better = true;
  // What the machine allows, measured in the same run and in the same unit; `limit_share` says how much of it is
  // reached.
  std::optional<double> limit = std::nullopt;
  std::optional<double> recall = std::nullopt;       // of the best results, between 0 and 1
  std::optional<double> recall_at_1 = std::nullopt;  // the share of queries whose first result is right
  std::optional<double> error = std::nullopt;        // standard error of value - peer_value
  std::optional<size_t> queries = std::nullopt;      // that the value is a mean of
  std::string note = {};
};

// A row with no peer and no limit yet.
Row PlainRow(const std::string& bench, const std::string& name, double value, const std::string& unit);

// Of at least one value; the upper one of the two in the middle.
double Median(std::vector<double> values);
double Least(const std::vector<double>& values);

// The first line: machine, SIMD level, versions.
void PrintMachine(const std::string& bench);

// `ratio` says how many times better ours is than the peer; above 1 is better.
void Print(const Row& row);

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_REPORT_H_
