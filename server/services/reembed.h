// Embedding a collection again with another model, as an operation.
//
// The work fills the other space of the collection (index/database.h) from kept originals and swaps the two. What it
// has done is in that space: repeated after a crash, a cancellation or a failure, it goes on where it was.
//
// Threading: pure functions; the work runs on an operation's thread. Failure: Status.
#ifndef SIGHTLINE_SERVER_SERVICES_REEMBED_H_
#define SIGHTLINE_SERVER_SERVICES_REEMBED_H_

#include "absl/status/statusor.h"
#include "index/database.h"
#include "server/embedder.h"
#include "server/model_hub.h"
#include "server/operations.h"
#include "sightline/v1/collection_service.pb.h"

namespace sightline::server {

inline constexpr char kReembedKind[] = "reembed";

// Refuses what cannot go well from the start, and says what is meant for good: the collection's own name and the space
// to arrive at, so that the work can tell after a restart whether it had arrived.
absl::StatusOr<v1::ReembedCollectionRequest> ResolveReembed(const index::Database& database, const ModelHub& models,
                                                            const v1::ReembedCollectionRequest& message);

// Makes the work from a resolved request; to do it twice does no harm. What it is given must outlive
// it.
Operations::MakeWork MakeReembed(index::Database& database, ModelHub& models, Embedder& embedder);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_REEMBED_H_
