// GraphScratch: what one search or insert of a Graph works with, kept by the thread from one to the next.
//
// Threading: one thread at a time; Get() is the calling thread's own. Ownership: the thread's. Failure: none.
//
//   GraphScratch& scratch = GraphScratch::Get();
//   scratch.visited.Clear(ef * 32);
//   if (scratch.visited.Insert(row)) ...
#ifndef SIGHTLINE_INDEX_ANN_GRAPH_SCRATCH_H_
#define SIGHTLINE_INDEX_ANN_GRAPH_SCRATCH_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "index/kernels/int8_code.h"

namespace sightline::index {

struct GraphScored {
  float score = 0;
  uint32_t row = 0;
};

inline bool RanksBefore(const GraphScored& a, const GraphScored& b) {
  return a.score != b.score ? a.score > b.score : a.row < b.row;
}

// A set of rows. A search visits a few thousand of a million, so a hash table of theirs stays in the first caches where
// a tag for every row would not.
class VisitedSet {
 public:
  void Clear(size_t expected) {
    const size_t slots = std::bit_ceil(std::max<size_t>(2 * expected, 256));
    if (slots_.size() < slots) slots_.resize(slots);
    std::fill_n(slots_.begin(), slots, 0);
    SetSize(slots);
    used_ = 0;
  }

  // Whether the row is new.
  bool Insert(uint32_t row) {
    size_t at = Slot(row);
    for (; slots_[at] != 0; at = (at + 1) & mask_) {
      if (slots_[at] == row + 1) return false;
    }
    slots_[at] = row + 1;
    if (++used_ > mask_ / 2) Grow();
    return true;
  }

 private:
  size_t Slot(uint32_t row) const { return (row * uint64_t{0x9E3779B97F4A7C15}) >> shift_; }
  void SetSize(size_t slots) {
    mask_ = slots - 1;
    shift_ = 64 - std::countr_zero(slots);
  }
  void Grow() {
    const std::vector<uint32_t> old(slots_.begin(), slots_.begin() + static_cast<std::ptrdiff_t>(mask_ + 1));
    slots_.assign(old.size() * 2, 0);
    SetSize(slots_.size());
    for (const uint32_t value : old) {
      if (value == 0) continue;
      size_t at = Slot(value - 1);
      while (slots_[at] != 0) at = (at + 1) & mask_;
      slots_[at] = value;
    }
  }

  std::vector<uint32_t> slots_;  // row + 1; 0 is free
  size_t mask_ = 0;
  int shift_ = 0;
  size_t used_ = 0;
};

// The best rows found so far, best first, each expanded or not. An array kept in order beats two heaps at the sizes
// that searches use: one insertion moves a few hundred bytes.
class BestList {
 public:
  void Clear(size_t capacity) {
    capacity_ = capacity;
    next_ = 0;
    rows_.clear();
    expanded_.clear();
  }

  bool full() const { return rows_.size() == capacity_; }
  bool Wants(float score) const { return rows_.size() < capacity_ || score > rows_.back().score; }

  void Add(GraphScored scored) {
    if (full()) {
      rows_.pop_back();
      expanded_.pop_back();
    }
    const auto at = std::upper_bound(rows_.begin(), rows_.end(), scored, RanksBefore);
    const auto offset = at - rows_.begin();
    rows_.insert(at, scored);
    expanded_.insert(expanded_.begin() + offset, 0);
    next_ = std::min(next_, static_cast<size_t>(offset));
  }

  // The best row that is not expanded, or null.
  const GraphScored* Next() {
    while (next_ < rows_.size() && expanded_[next_] != 0) ++next_;
    return next_ < rows_.size() ? &rows_[next_] : nullptr;
  }
  void Expand() { expanded_[next_++] = 1; }

  const std::vector<GraphScored>& rows() const { return rows_; }

 private:
  size_t capacity_ = 0;
  size_t next_ = 0;  // every row before is expanded
  std::vector<GraphScored> rows_;
  std::vector<uint8_t> expanded_;
};

struct GraphScratch {
  static GraphScratch& Get() {
    thread_local GraphScratch scratch;
    return scratch;
  }

  // A query to be assigned rows of codes of this layout.
  static kernels::Int8Query& Query(std::optional<kernels::Int8Query>& query, const kernels::CodeLayout& layout,
                                   const uint8_t* row) {
    if (query.has_value() && query->layout().dim == layout.dim) {
      query->Assign(row);
    } else {
      query.emplace(layout, row);
    }
    return *query;
  }

  VisitedSet visited;
  BestList best;
  std::vector<GraphScored> guides;  // heap of rows that are not returned but lead on
  std::vector<uint32_t> passed_by;  // a filtered search's rows that do not pass
  int64_t compared = 0;

  // One call of the kernel.
  std::vector<uint32_t> rows;
  std::vector<const uint8_t*> codes;
  std::vector<float> scores;

  // Choosing links.
  std::optional<kernels::Int8Query> inserted;
  std::optional<kernels::Int8Query> other;
  std::vector<GraphScored> candidates;
  std::vector<GraphScored> left;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_GRAPH_SCRATCH_H_
