// The flags that say how patches are compared, as `search`, `explain` and `confidence fit` take them.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT with reason USAGE for a word that names nothing; numbers beyond
// their limits are the server's to refuse.
#ifndef SIGHTLINE_CLIENT_CLI_RERANK_FLAGS_H_
#define SIGHTLINE_CLIENT_CLI_RERANK_FLAGS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/args.h"
#include "sightline/v1/rerank.pb.h"

namespace sightline::cli {

// --mass, --epsilon, --marginals, --temperature, --weight, --query_cells and --result_cells.
std::vector<FlagSpec> TransportFlags();

// --rerank and --shortlist, for searches; and those above.
std::vector<FlagSpec> RerankFlags();

// Only what was given: the model decides the rest.
absl::StatusOr<v1::RerankOptions> RerankOf(const Args& args);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_RERANK_FLAGS_H_
