// The evaluation of a server: a benchmark's pictures are indexed into a collection of it and its queries searched for.
//
// Threading: one thread at a time; the searches use threads of their own. Failure: written to the context's `err`; the
// exit code says so.
#ifndef SIGHTLINE_CLIENT_CLI_EVALUATE_SERVER_EVALUATION_H_
#define SIGHTLINE_CLIENT_CLI_EVALUATE_SERVER_EVALUATION_H_

#include "client/cli/command.h"
#include "client/cli/evaluate/benchmark.h"

namespace sightline::cli {

// Measures the server that the flags name and writes the report. Returns the exit code.
int EvaluateServer(Context& context, const Args& args, const Benchmark& benchmark);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EVALUATE_SERVER_EVALUATION_H_
