#include "index/replacement.h"

#include <algorithm>

#include "base/status.h"

namespace sightline::index {

namespace {

// Below it a segment is not worth replacing in passing, whatever its dead.
constexpr int64_t kMinDeadReplaced = 128;

bool TooManyDead(const Segment& segment, double max_dead_share) {
  const int64_t rows = segment.rows();
  const int64_t dead = rows - segment.live();
  if (max_dead_share > 0 && dead < kMinDeadReplaced) return false;
  return static_cast<double>(dead) > max_dead_share * static_cast<double>(rows);
}

}  // namespace

SegmentList::Segments Replacement::Choose(const SegmentList::Segments& segments, double max_dead_share,
                                          uint32_t segment_rows, const SegmentList::Segments* among) {
  for (size_t i = 0; i < segments.size(); ++i) {
    if (!TooManyDead(*segments[i], max_dead_share)) continue;
    if (among != nullptr && std::find(among->begin(), among->end(), segments[i]) == among->end()) continue;
    size_t begin = i;
    size_t end = i + 1;
    int64_t live = segments[i]->live();
    const auto fits = [&](const Segment& segment) {
      return segment.augmented() == segments[i]->augmented() && live + segment.live() <= segment_rows;
    };
    while (end < segments.size() && fits(*segments[end])) live += segments[end++]->live();
    while (begin > 0 && fits(*segments[begin - 1])) live += segments[--begin]->live();
    return {segments.begin() + static_cast<ptrdiff_t>(begin), segments.begin() + static_cast<ptrdiff_t>(end)};
  }
  return {};
}

absl::Status Replacement::CopyRow(const Segment& source, uint32_t row) {
  if (target_->full()) {
    return base::Error(absl::StatusCode::kAborted, "SEGMENT_OUTGROWN",
                       "the segments to be replaced have grown beyond one. They are chosen again.");
  }
  std::vector<float> descriptor(source.shape().chunk.dim);
  absl::Status read = source.Read(row, descriptor.data());
  if (read.ok() && transform_) read = transform_(source.row_table().Key(row), &descriptor);
  // Its record went away after it was found alive: the row's death is known to the segment list and follows.
  if (absl::IsNotFound(read)) return absl::OkStatus();
  SIGHTLINE_RETURN_IF_ERROR(read);
  const Attributes attributes =
      source.attributes().Read([row](const AttributeIndex& index) { return index.AttributesOf(row); });
  target_->Append({source.row_table().Key(row), source.row_table().Id(row), descriptor.data(), &attributes});
  return absl::OkStatus();
}

absl::StatusOr<bool> Replacement::Copy(uint32_t most) {
  while (source_ < sources_.size() && most > 0) {
    const Segment& source = *sources_[source_];
    const uint32_t end = source.rows();
    for (; row_ < end && most > 0; ++row_, --most) {
      if (source.row_table().Alive(row_)) SIGHTLINE_RETURN_IF_ERROR(CopyRow(source, row_));
    }
    if (row_ < end || source_ + 1 == sources_.size()) break;
    ++source_;
    row_ = 0;
  }
  target_->Publish();
  return left() > 0;
}

int64_t Replacement::left() const {
  int64_t rows = -static_cast<int64_t>(row_);
  for (size_t i = source_; i < sources_.size(); ++i) rows += sources_[i]->rows();
  return rows;
}

}  // namespace sightline::index
