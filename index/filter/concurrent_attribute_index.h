// ConcurrentAttributeIndex: an AttributeIndex that searches read without waiting while one thread changes it.
//
// Threading: Read and memory_bytes from any thread, Apply from one at a time and never inside Read.
// Ownership: owns two copies, which share the bytes of most rows. What Read hands to its function is valid until that
// function returns. Failure: none.
//
//   ConcurrentAttributeIndex index;
//   index.Apply({{.row = 7, .attributes = &record.attributes}});
//   Roaring rows = index.Read([&](const AttributeIndex& now) { return now.Evaluate(filter, row_count); });
#ifndef SIGHTLINE_INDEX_FILTER_CONCURRENT_ATTRIBUTE_INDEX_H_
#define SIGHTLINE_INDEX_FILTER_CONCURRENT_ATTRIBUTE_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/types/span.h"
#include "index/filter/attribute_index.h"
#include "index/filter/left_right.h"

namespace sightline::index {

struct RowChange {
  uint32_t row = 0;
  const Attributes* attributes = nullptr;  // null clears the row; must outlive Apply
};

class ConcurrentAttributeIndex {
 public:
  // Begins with what `initial` holds: the way to index many rows at once.
  explicit ConcurrentAttributeIndex(AttributeIndex initial = {}) : index_(std::move(initial)) {}

  // In order, seen by readers all at once.
  void Apply(absl::Span<const RowChange> changes) {
    const auto apply = [changes](AttributeIndex& index) {
      for (const RowChange& change : changes) {
        if (change.attributes != nullptr) {
          index.Set(change.row, *change.attributes);
        } else {
          index.Clear(change.row);
        }
      }
    };
    since_shared_ += changes.size();
    const bool share = since_shared_ >= kShareChanges;
    if (share) since_shared_ = 0;
    index_.Write(apply, [&apply, share](AttributeIndex& behind, const AttributeIndex& front) {
      apply(behind);
      if (share) behind.ShareRowsOf(front);
    });
  }

  template <typename Function>
  auto Read(Function&& function) const {
    return index_.Read(std::forward<Function>(function));
  }

  size_t memory_bytes() const {
    return 2 * Read([](const AttributeIndex& index) { return index.memory_bytes(); });
  }

 private:
  // Sharing again costs a millisecond at a million rows, and the rest of a chunk of memory.
  static constexpr size_t kShareChanges = 65'536;

  LeftRight<AttributeIndex> index_;
  size_t since_shared_ = 0;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_FILTER_CONCURRENT_ATTRIBUTE_INDEX_H_
