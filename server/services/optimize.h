// Optimising a collection, as an operation.
//
// Threading: pure functions; the work runs on an operation's thread. Failure: INVALID_ARGUMENT with field, limit and
// actual value.
#ifndef SIGHTLINE_SERVER_SERVICES_OPTIMIZE_H_
#define SIGHTLINE_SERVER_SERVICES_OPTIMIZE_H_

#include "absl/status/statusor.h"
#include "index/database.h"
#include "server/operations.h"
#include "sightline/v1/collection_service.pb.h"

namespace sightline::server {

inline constexpr char kOptimizeKind[] = "optimize";
inline constexpr int kMaxAugmentNeighbours = 100;

absl::StatusOr<index::OptimizeOptions> ReadOptimizeOptions(const v1::OptimizeCollectionRequest& message);

// Makes the work from an OptimizeCollectionRequest; to do it twice does no harm. The database must outlive it.
Operations::MakeWork MakeOptimize(index::Database& database);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_OPTIMIZE_H_
