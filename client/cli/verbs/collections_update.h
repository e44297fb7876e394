// The action `collections update`.
#ifndef SIGHTLINE_CLIENT_CLI_VERBS_COLLECTIONS_UPDATE_H_
#define SIGHTLINE_CLIENT_CLI_VERBS_COLLECTIONS_UPDATE_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/cli/args.h"
#include "sightline/v1/collection_service.pb.h"

namespace sightline::cli {

// What the flags given ask for. INVALID_ARGUMENT says what is wrong with them.
absl::StatusOr<v1::UpdateCollectionRequest> ReadUpdate(const Args& args, const std::string& name);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_VERBS_COLLECTIONS_UPDATE_H_
