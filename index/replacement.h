// Replacement: the rows alive of some segments, copied step by step into a new one that takes their place.
//
// The segments stand side by side, and only the last of a collection may be growing: what is appended to it meanwhile
// is copied too, the last rows while writes wait.
//
// Threading: one thread at a time (upkeep's). Ownership: shares the segments. Failure: Status when a descriptor can be
// read neither from its file nor from the store; ABORTED when the last segment has grown so much meanwhile that one
// cannot hold all of it any more.
#ifndef SIGHTLINE_INDEX_REPLACEMENT_H_
#define SIGHTLINE_INDEX_REPLACEMENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "index/ann/segment_list.h"

namespace sightline::index {

class Replacement {
 public:
  // Changes a row's descriptor on its way (database-side augmentation). NOT_FOUND leaves out a row whose record is
  // gone. May be empty.
  using Transform = std::function<absl::Status(uint64_t key, std::vector<float>* descriptor)>;

  Replacement(SegmentList::Segments sources, std::shared_ptr<Segment> target, Transform transform)
      : sources_(std::move(sources)), target_(std::move(target)), transform_(std::move(transform)) {}

  // Which segments to replace: the first one (of `among`; null: of all) whose share of dead rows is above
  // `max_dead_share`, with neighbours as long as their rows alive fit into `segment_rows` together. Empty when there is
  // none.
  static SegmentList::Segments Choose(const SegmentList::Segments& segments, double max_dead_share,
                                      uint32_t segment_rows, const SegmentList::Segments* among);

  // Copies up to `most` rows. False when none was left.
  absl::StatusOr<bool> Copy(uint32_t most);
  // Rows left to look at.
  int64_t left() const;

  const SegmentList::Segments& sources() const { return sources_; }
  const std::shared_ptr<Segment>& target() const { return target_; }

 private:
  absl::Status CopyRow(const Segment& source, uint32_t row);

  const SegmentList::Segments sources_;
  const std::shared_ptr<Segment> target_;
  const Transform transform_;
  size_t source_ = 0;
  uint32_t row_ = 0;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_REPLACEMENT_H_
