// CollectionSearch: one search of a collection, from the question to the page of hits.
//
// Filter -> candidates of every segment, in full precision -> merge -> refinement by descriptors -> min_score -> groups
// -> page. The segments and the clock are taken once, at the beginning.
//
// Threading: an object is one search, on one thread. Ownership: borrows what it is given. Failure: INVALID_ARGUMENT for
// a question out of bounds, CANCELLED.
//
//   CollectionSearch search(config, segments.Now(), policy, pool);
//   absl::StatusOr<SearchOutcome> outcome = search.Run(query);
#ifndef SIGHTLINE_INDEX_COLLECTION_SEARCH_H_
#define SIGHTLINE_INDEX_COLLECTION_SEARCH_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/thread_pool.h"
#include "index/ann/index_policy.h"
#include "index/ann/segment_list.h"
#include "index/collection.h"
#include "index/filter/filter.h"

namespace sightline::index {

class CollectionSearch {
 public:
  // `pool` shares large comparisons; may be null.
  CollectionSearch(const CollectionConfig& config, SegmentList::Moment moment, IndexPolicy& policy,
                   base::ThreadPool* pool);

  absl::StatusOr<SearchOutcome> Run(const SearchQuery& query);

 private:
  // A row, and what ranks it.
  struct Found {
    size_t segment = 0;
    uint32_t row = 0;
    float score = 0;  // cosine with the query as it was sent
    float order = 0;  // what it is ranked by: the score, or what a refinement made of it
    int before = 0;   // its place before the refinement, from 1
  };

  absl::Status Check(const SearchQuery& query) const;
  size_t EffortOf(const SearchQuery& query) const;
  absl::Status ApplyFilter(const SearchQuery& query);
  // The best `k` rows, best first.
  absl::StatusOr<std::vector<Found>> Nearest(const std::vector<float>& vector, size_t k, float min_score);
  absl::Status Refine(std::vector<Found>* found);
  absl::Status Expand(std::vector<Found>* found, size_t k);
  absl::Status ReorderShortlist(std::vector<Found>* found);
  absl::StatusOr<std::vector<float>> Descriptors(absl::Span<const Found> found) const;
  // Whether the query's page can be filled from `found`.
  bool Page(const std::vector<Found>& found, bool all);
  std::optional<uint64_t> GroupOf(const Found& found) const;

  const CollectionConfig& config_;
  const SegmentList::Moment moment_;
  IndexPolicy& policy_;
  base::ThreadPool* const pool_;

  const SearchQuery* query_ = nullptr;
  std::vector<float> descriptor_;
  std::vector<Roaring> matching_;  // of each segment; empty without a filter
  int64_t unreadable_ = 0;         // the most rows that one pass over the segments could not read
  SearchOutcome outcome_;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_COLLECTION_SEARCH_H_
