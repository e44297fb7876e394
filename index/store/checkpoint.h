// Checkpoints: a RocksDB of its own with what a store held at one moment, sharing the files that never change.
//
// Threading: MakeCheckpoint from any thread; the others on a folder that nothing else uses.
// Ownership: none is kept. Failure: Status; DATA_LOSS for a folder that does not hold what a store writes.
#ifndef SIGHTLINE_INDEX_STORE_CHECKPOINT_H_
#define SIGHTLINE_INDEX_STORE_CHECKPOINT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "index/collection.h"
#include "index/store/rocks.h"
#include "index/store/store.h"

namespace sightline::index {

// Writes wait meanwhile. `folder` must not exist; its parent must. It holds every write acknowledged before the call,
// and no part of a batch.
absl::Status MakeCheckpoint(Store& store, const std::string& folder);

struct CheckpointContent {
  std::string collection;
  int64_t sequence = 0;  // of the last write in it
  int64_t images = 0;
};

// Leaves the folder as it is. Reads every id.
absl::StatusOr<CheckpointContent> ReadCheckpoint(const std::string& folder, const RocksResources& resources);

// Durably gives the collection in `folder` another name.
absl::Status RenameStoredCollection(const std::string& folder, const std::string& name, const RocksResources& resources,
                                    const RecordLimits& limits);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_CHECKPOINT_H_
