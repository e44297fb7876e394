// The evaluation of rankings that were made elsewhere, without a server.
//
// Threading: one thread at a time. Failure: written to the context's `err`; the exit code says so.
#ifndef SIGHTLINE_CLIENT_CLI_EVALUATE_RANKINGS_EVALUATION_H_
#define SIGHTLINE_CLIENT_CLI_EVALUATE_RANKINGS_EVALUATION_H_

#include "client/cli/command.h"
#include "client/cli/evaluate/benchmark.h"

namespace sightline::cli {

// Measures the file of --rankings and writes the report. Returns the exit code.
int EvaluateRankings(Context& context, const Args& args, const Benchmark& benchmark);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EVALUATE_RANKINGS_EVALUATION_H_
