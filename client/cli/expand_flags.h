// The flags that say how a query is refined by descriptors, as `search` and `evaluate` take them.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT with reason USAGE for a word that names nothing; numbers beyond
// their limits are the server's to refuse.
#ifndef SIGHTLINE_CLIENT_CLI_EXPAND_FLAGS_H_
#define SIGHTLINE_CLIENT_CLI_EXPAND_FLAGS_H_

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/args.h"
#include "sightline/v1/search_service.pb.h"

namespace sightline::cli {

// --expand, --neighbours and --alpha.
std::vector<FlagSpec> ExpandFlags();

// Nothing where --expand is not given.
absl::StatusOr<std::optional<v1::QueryExpansion>> ExpansionOf(const Args& args);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EXPAND_FLAGS_H_
