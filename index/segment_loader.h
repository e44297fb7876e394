// Opens the segments of a collection: the sealed files that the manifest names, the ids and attributes of the records
// that live, and the records that no file holds yet.
//
// The store is the truth: a row is alive when its record is there, and a record whose row is in no intact file is read
// from the store. A damaged file therefore costs time and nothing else; it is named in the log and set aside under its
// name with ".damaged".
//
// With low_memory, links stay on disk and codes in their files. A store that is open for reading what is left of it
// keeps every file as it is.
//
// Threading: one thread. Ownership: the result belongs to the caller. Failure: Status when the store cannot be read;
// FAILED_PRECONDITION for files of a format that this version does not know, which are left as they are.
#ifndef SIGHTLINE_INDEX_SEGMENT_LOADER_H_
#define SIGHTLINE_INDEX_SEGMENT_LOADER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "index/ann/segment_list.h"
#include "index/database.h"
#include "index/store/files.h"
#include "index/store/store.h"
#include "index/upkeep.h"

namespace sightline::index {

struct LoadedSegments {
  SegmentList::Segments segments;  // at least one
  Upkeep::Known known;
};

absl::StatusOr<LoadedSegments> LoadSegments(
    Store& store, const Files& files, const std::string& folder, const DatabaseOptions& options,
    const std::function<std::shared_ptr<Segment>(bool augmented)>& make_segment);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_SEGMENT_LOADER_H_
