// SearchPlans: the ways of searching that the flags of `evaluate` ask for.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT with reason USAGE that names the flag.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<SearchPlan> plans, PlanSearches(args, benchmark));
#ifndef SIGHTLINE_CLIENT_CLI_EVALUATE_SEARCH_PLANS_H_
#define SIGHTLINE_CLIENT_CLI_EVALUATE_SEARCH_PLANS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/args.h"
#include "client/cli/evaluate/benchmark.h"
#include "client/cli/evaluate/search_run.h"

namespace sightline::cli {

// What the API re-ranks where a request does not say how many.
constexpr int64_t kDefaultShortlist = 100;

// One plan, or with --compare four; their requests name no collection yet, and whether one that leaves it to the model
// re-ranks, and needs its shortlist, only the server knows. `args` has the flags of ExpandFlags and
// RerankFlags, --exact, --ef_search, --nprobe, --depth and --compare.
absl::StatusOr<std::vector<SearchPlan>> PlanSearches(const Args& args, const Benchmark& benchmark);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EVALUATE_SEARCH_PLANS_H_
