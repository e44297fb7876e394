// NumberIndex: which rows have which number, in order, so that a range of a million distinct numbers is answered in
// microseconds.
//
// Numbers are unsigned 64-bit keys whose order is that of the numbers (number_key.h). Entries (key, row) lie in blocks
// of at most 512, ascending. Every 64 blocks or so there is a milestone: the bitmap of all rows before that block. The
// rows of a range are then the difference of two milestones, corrected by the few thousand entries between them and the
// range's ends, however long it is.
//
// Threading: like a container of the standard library. Ownership: a value. Failure: none.
//
//   NumberIndex prices;
//   prices.Add(NumberKey(int64_t{5}), row);
//   Roaring rows = prices.Range(NumberKey(int64_t{2}), NumberKey(int64_t{9}));
#ifndef SIGHTLINE_INDEX_FILTER_NUMBER_INDEX_H_
#define SIGHTLINE_INDEX_FILTER_NUMBER_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "index/filter/bitmap.h"

namespace sightline::index {

class NumberIndex {
 public:
  // An entry must not be there yet.
  void Add(uint64_t key, uint32_t row);
  // An entry must be there.
  void Remove(uint64_t key, uint32_t row);

  // The rows with keys from `least` to `most`, both included.
  Roaring Range(uint64_t least, uint64_t most) const;

  // Calls function(key, row) in ascending order.
  template <typename Function>
  void ForEach(Function function) const {
    for (const Block& block : blocks_) {
      for (size_t i = 0; i < block.keys.size(); ++i) function(block.keys[i], block.rows[i]);
    }
  }

  bool empty() const { return blocks_.empty(); }
  void Compress();
  size_t memory_bytes() const;

 private:
  static constexpr size_t kBlockEntries = 512;
  static constexpr size_t kMilestoneBlocks = 64;

  struct Entry {
    uint64_t key;
    uint32_t row;
    auto operator<=>(const Entry&) const = default;
  };
  // Apart, so that an entry takes 12 bytes and a search reads keys only.
  struct Block {
    std::vector<uint64_t> keys;
    std::vector<uint32_t> rows;

    Entry at(size_t i) const { return {keys[i], rows[i]}; }
    // Of the first entry that is not less.
    size_t LowerBound(const Entry& entry) const;
  };
  struct Milestone {
    size_t block;    // it stands before this one
    Roaring before;  // rows of all blocks before it
  };
  struct Place {
    size_t block;
    size_t offset;
  };

  size_t BlockOf(const Entry& entry) const;
  Place LowerBound(const Entry& entry) const;
  void Split(size_t block);
  void MergeIfSmall(size_t block);
  void Erase(size_t block);
  void PlaceMilestone(size_t block);
  const Milestone* NearestMilestone(size_t block) const;
  // Calls function(rows) with the pieces from one place to another.
  template <typename Function>
  void ForEachPiece(Place begin, Place end, Function function) const;

  std::vector<Block> blocks_;          // none is empty
  std::vector<Entry> firsts_;          // the least entry that belongs into each block
  std::vector<Milestone> milestones_;  // by block
  uint32_t max_row_ = 0;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_FILTER_NUMBER_INDEX_H_
