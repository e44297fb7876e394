// What a search asks of a segment, and what it gets.
#ifndef SIGHTLINE_INDEX_ANN_SEGMENT_QUERY_H_
#define SIGHTLINE_INDEX_ANN_SEGMENT_QUERY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "index/ann/top_k.h"
#include "roaring/roaring.hh"

namespace sightline::index {

struct SegmentQuery {
  const float* query = nullptr;  // dim values, L2-normalised
  size_t k = 0;
  float min_score = -std::numeric_limits<float>::infinity();
  uint32_t rows = 0;                  // the first so many
  uint64_t clock = 0;                 // rows that died later are seen
  const Roaring* matching = nullptr;  // rows that satisfy the filter; null takes all
  bool links = false;                 // use graph or inverted lists where there are any
  size_t effort = 0;                  // the graph's efSearch, the lists' nprobe; 0: the default
  std::function<bool()> cancelled;    // asked now and then; may be empty
  base::ThreadPool* pool = nullptr;   // shares a large comparison; may be null
};

struct SegmentResult {
  std::vector<ScoredRow> best;  // best first, in full precision; ties by row
  int64_t compared = 0;
  int64_t unreadable = 0;      // rows left out because neither their file nor the store gave their descriptor
  bool by_card = false;        // a card has compared some of them
  const char* used = nullptr;  // "hnsw" or "ivf"; null: the rows were compared one by one
  bool cancelled = false;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_SEGMENT_QUERY_H_
