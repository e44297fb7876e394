// Centroids: the quantisers of a collection with inverted lists: when they are trained, on what, and their file.
//
// They serve all segments of a collection for good, so that lists of two segments can be joined. They are trained once,
// when there are enough rows to learn from; until then searches compare every row. A product quantiser is trained with
// them where memory is too short for int8 codes.
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
#include "index/ann/quantizers.h"
#include "index/ann/segment_list.h"
#include "index/store/files.h"
#include "index/store/segment_manifest.h"

namespace sightline::index {

// A product quantiser learns 256 centroids for every part of a descriptor.
inline constexpr size_t kMinRowsOfProduct = 4 * ProductQuantizer::kCentroids;

// How many lists a collection of so many rows should have (`asked`, unless 0), or 0 while there are too few rows.
size_t ListsFor(int64_t rows, int asked);

// With `product`, there should be kMinRowsOfProduct rows.
absl::StatusOr<Quantizers> TrainCentroids(const SegmentList::Segments& segments, size_t lists, bool product,
                                          int threads, const std::function<bool()>& cancelled);

// Completes `info`. Durable on OK.
absl::Status SaveCentroids(const Quantizers& quantizers, const Files& files, const std::string& path,
                           LinksFileInfo* info);
absl::StatusOr<Quantizers> LoadCentroids(const Files& files, const std::string& path, const LinksFileInfo& info,
                                         size_t dim);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_CENTROIDS_H_
