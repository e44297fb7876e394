// Errors that several files of this room give in the same words.
#ifndef SIGHTLINE_INDEX_STORE_ERRORS_H_
#define SIGHTLINE_INDEX_STORE_ERRORS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status.h"

namespace sightline::index {

inline absl::Status RecordNotFound(const std::string& id, const std::string& collection) {
  return base::NotFound(
      "IMAGE_NOT_FOUND",
      absl::StrCat("collection ", collection, " has no image \"", id, "\". List its images to see their ids."),
      {{"id", id}, {"collection", collection}});
}

inline absl::Status CollectionDeleted(const std::string& collection) {
  return base::NotFound(
      "COLLECTION_NOT_FOUND",
      absl::StrCat("collection ", collection, " was deleted or closed. Create it again, or use another."),
      {{"collection", collection}});
}

inline absl::Status CollectionMoved(const std::string& collection) {
  return base::RetryableError(absl::StatusCode::kUnavailable, "COLLECTION_MOVED",
                              absl::StrCat("collection ", collection,
                                           " has moved to another embedding space while this was under way, and "
                                           "nothing was written. Send it again."),
                              absl::Milliseconds(50), {{"collection", collection}});
}

inline absl::Status OnlyWhatIsLeft(const std::string& collection) {
  return base::FailedPrecondition(
      "COLLECTION_DAMAGED",
      absl::StrCat("collection ", collection,
                   " is damaged, and only what is left of it is open, for reading. Copy what can be read to a new "
                   "collection, or restore a snapshot, and delete this one."),
      {{"collection", collection}});
}

inline absl::Status SnapshotNotFound(const std::string& name) {
  return base::NotFound("SNAPSHOT_NOT_FOUND",
                        absl::StrCat("there is no snapshot ", name, ". List the snapshots to see their names."),
                        {{"snapshot", name}});
}

inline absl::Status SnapshotDamaged(const std::string& name, const std::string& file, absl::string_view problem) {
  return base::Error(absl::StatusCode::kDataLoss, "SNAPSHOT_DAMAGED",
                     absl::StrCat(name, " is damaged: file ", file, " ", problem, ". Use another snapshot."),
                     {{"snapshot", name}, {"file", file}});
}

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_ERRORS_H_
