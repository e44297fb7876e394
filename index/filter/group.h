// GroupLimit: keeps at most so many hits of every group, for searches with group_by.
//
// Hits are offered best first. A row without the attribute belongs to no group and is always kept, as if it were a
// group of its own: leaving such images out is what the filter `EXISTS key` is for.
//
// Threading: one thread at a time. Ownership: plain values. Failure: none.
//
//   GroupLimit groups(/*group_size=*/1);
//   for (const Hit& hit : ranked) {
//     if (groups.Keep(attributes.GroupId(hit.row, key))) kept.push_back(hit);
//     if (kept.size() == enough) break;
//   }
#ifndef SIGHTLINE_INDEX_FILTER_GROUP_H_
#define SIGHTLINE_INDEX_FILTER_GROUP_H_

#include <cstdint>
#include <optional>

#include "absl/container/flat_hash_map.h"

namespace sightline::index {

class GroupLimit {
 public:
  explicit GroupLimit(int group_size) : group_size_(group_size) {}

  // Whether the next best hit is kept. `group` is AttributeIndex::GroupId.
  bool Keep(std::optional<uint64_t> group) {
    if (!group) return true;
    int& kept = kept_[*group];
    if (kept >= group_size_) return false;
    ++kept;
    return true;
  }

 private:
  const int group_size_;
  absl::flat_hash_map<uint64_t, int> kept_;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_FILTER_GROUP_H_
