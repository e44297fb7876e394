// Posting: the rows that have one value. Most values of most collections are rare, and a Roaring bitmap costs a hundred
// bytes before its first row, so few rows are kept in a plain array.
//
// Threading: like a container of the standard library. Ownership: a value. Failure: none.
//
//   Posting posting;
//   posting.Add(row);
//   posting.AddTo(rows);
#ifndef SIGHTLINE_INDEX_FILTER_POSTING_H_
#define SIGHTLINE_INDEX_FILTER_POSTING_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "index/filter/bitmap.h"

namespace sightline::index {

class Posting {
 public:
  Posting() = default;
  Posting(const Posting& other)
      : few_(other.few_), many_(other.many_ ? std::make_unique<Roaring>(*other.many_) : nullptr) {}
  Posting(Posting&&) noexcept = default;
  Posting& operator=(const Posting& other) { return *this = Posting(other); }
  Posting& operator=(Posting&&) noexcept = default;

  // A row that is there is left as it is.
  void Add(uint32_t row) {
    if (many_ != nullptr) {
      many_->add(row);
      return;
    }
    const auto place = std::lower_bound(few_.begin(), few_.end(), row);
    if (place != few_.end() && *place == row) return;
    few_.insert(place, row);
    if (few_.size() > kFew) {
      many_ = std::make_unique<Roaring>(few_.size(), few_.data());
      few_.clear();
      few_.shrink_to_fit();
    }
  }

  // Returns whether it was there.
  bool Remove(uint32_t row) {
    if (many_ != nullptr) return many_->removeChecked(row);
    const auto place = std::lower_bound(few_.begin(), few_.end(), row);
    if (place == few_.end() || *place != row) return false;
    few_.erase(place);
    return true;
  }

  // Gives its memory back.
  void Clear() {
    many_.reset();
    few_.clear();
    few_.shrink_to_fit();
  }

  bool empty() const { return many_ != nullptr ? many_->isEmpty() : few_.empty(); }
  uint64_t size() const { return many_ != nullptr ? many_->cardinality() : few_.size(); }

  // The bitmap where there is one: it can be used without a copy.
  const Roaring* bitmap() const { return many_.get(); }
  Roaring ToBitmap() const { return many_ != nullptr ? *many_ : Roaring(few_.size(), few_.data()); }
  void AddTo(RowUnion& rows) const {
    if (many_ != nullptr) {
      rows.Add(*many_);
    } else {
      rows.Add(few_);
    }
  }

  // How many of its rows are in `rows`.
  uint64_t CountIn(const Roaring& rows) const {
    if (many_ != nullptr) return many_->and_cardinality(rows);
    return static_cast<uint64_t>(
        std::count_if(few_.begin(), few_.end(), [&rows](uint32_t row) { return rows.contains(row); }));
  }

  void Compress() {
    if (many_ != nullptr) many_->runOptimize();
  }

  // Without the object itself.
  size_t memory_bytes() const {
    if (many_ != nullptr) return sizeof(Roaring) + BitmapBytes(*many_);
    return few_.capacity() > kInline ? few_.capacity() * sizeof(uint32_t) : 0;
  }

 private:
  static constexpr size_t kInline = 4;  // as many as fit the space of the vector's pointers
  static constexpr size_t kFew = 32;

  absl::InlinedVector<uint32_t, kInline> few_;  // ascending
  std::unique_ptr<Roaring> many_;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_FILTER_POSTING_H_
