// What every bench prints: one JSON object per line.
//
// Threading: one thread. Failure: none.
#ifndef SIGHTLINE_TESTS_BENCH_REPORT_H_
#define SIGHTLINE_TESTS_BENCH_REPORT_H_

#include <optional>
#include <string>

namespace sightline::bench {

struct Row {
  std::string bench;
  std::string name;  // short and stable: `case` in the output
  double value = 0;
  std::string unit;
  // Measured in the same run.
  std::string peer;
  std::optional<double> peer_value;
  bool higher_is_better = true;
};

// The first line: machine, SIMD level, versions.
void PrintMachine(const std::string& bench);

// `ratio` says how many times better ours is than the peer; above 1 is better.
void Print(const Row& row);

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_REPORT_H_
