// Finding duplicates in a collection, as an operation.
//
// Threading: pure functions; the work runs on an operation's thread. Failure: INVALID_ARGUMENT with field, limit and
// actual value; FAILED_PRECONDITION where a confidence is asked for that was never fitted.
#ifndef SIGHTLINE_SERVER_SERVICES_DUPLICATES_H_
#define SIGHTLINE_SERVER_SERVICES_DUPLICATES_H_

#include "absl/status/status.h"
#include "index/database.h"
#include "server/model_hub.h"
#include "server/operations.h"
#include "sightline/v1/collection_service.pb.h"

namespace sightline::server {

inline constexpr char kFindDuplicatesKind[] = "find-duplicates";

// Refuses what cannot go well from the start.
absl::Status CheckFindDuplicates(const v1::FindDuplicatesRequest& message, const index::Collection& collection);

// Makes the work from a FindDuplicatesRequest; it changes nothing, so that it may be done twice. Database and models
// must outlive it.
Operations::MakeWork MakeFindDuplicates(const index::Database& database, const ModelHub& models);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_DUPLICATES_H_
