// Benchmarks whose every picture is a query against all others.
//
// Threading: a pure function. Failure: none.
#ifndef SIGHTLINE_CLIENT_CLI_EVALUATE_LEAVE_ONE_OUT_H_
#define SIGHTLINE_CLIENT_CLI_EVALUATE_LEAVE_ONE_OUT_H_

#include <string>
#include <vector>

#include "client/cli/evaluate/benchmark.h"

namespace sightline::cli {

// Makes every image a query: those of the same label are right, the query itself is taken out. `labels` go with
// `benchmark->images`; an image whose label is empty shows what no other does.
void QueryAll(const std::vector<std::string>& labels, Benchmark* benchmark);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EVALUATE_LEAVE_ONE_OUT_H_
