// Centroids: the coarse quantiser of a collection with inverted lists: when it is trained, on what, and its file.
//
// One quantiser serves all segments of a collection for good, so that lists of two segments can be joined. It is
// trained once, when there are enough rows to learn from; until then searches compare every row.
//
// Threading: any; TrainCentroids runs for seconds to minutes on its caller's thread and enters OpenMP regions.
// Ownership: none. Failure: Status; CANCELLED when `cancelled` says so.
#ifndef SIGHTLINE_INDEX_CENTROIDS_H_
#define SIGHTLINE_INDEX_CENTROIDS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "index/ann/coarse_quantizer.h"
#include "index/ann/segment_list.h"
#include "index/store/files.h"
#include "index/store/segment_manifest.h"

namespace sightline::index {

// How many lists a collection of so many rows should have (`asked`, unless 0), or 0 while there are too few rows.
size_t ListsFor(int64_t rows, int asked);

absl::StatusOr<std::shared_ptr<const CoarseQuantizer>> TrainCentroids(const SegmentList::Segments& segments,
                                                                      size_t lists, int threads,
                                                                      const std::function<bool()>& cancelled);

// Completes `info`. Durable on OK.
absl::Status SaveCentroids(const CoarseQuantizer& quantizer, const Files& files, const std::string& path,
                           LinksFileInfo* info);
absl::StatusOr<std::shared_ptr<const CoarseQuantizer>> LoadCentroids(const Files& files, const std::string& path,
                                                                     const LinksFileInfo& info, size_t dim);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_CENTROIDS_H_
