#include "index/ann/segment_list.h"

#include <algorithm>

namespace sightline::index {

SegmentList::SegmentList(std::function<std::shared_ptr<Segment>()> make, uint32_t segment_rows, Segments segments)
    : make_(std::move(make)), segment_rows_(segment_rows) {
  if (segments.empty()) segments.push_back(make_());
  base::MutexLock lock(mutex_);
  segments_ = std::make_shared<const Segments>(std::move(segments));
}

std::shared_ptr<const SegmentList::Segments> SegmentList::segments() const {
  base::MutexLock lock(mutex_);
  return segments_;
}

SegmentList::Moment SegmentList::Now() const {
  Moment moment;
  uint64_t tail_base;
  {
    base::MutexLock lock(mutex_);
    moment.segments = segments_;
    tail_base = tail_base_;
  }
  // Segments before the last one no longer grow. The last one may, or may even have become one of those before by now:
  // its rows are read once, and clock and rows agree.
  moment.rows.reserve(moment.segments->size());
  for (const auto& segment : *moment.segments) moment.rows.push_back(segment->rows());
  moment.clock = tail_base + moment.rows.back();
  return moment;
}

Segment* SegmentList::Holding(const Segments& segments, uint64_t key) {
  // Keys ascend from segment to segment. One that took the place of dead rows only is empty.
  for (auto it = segments.rbegin(); it != segments.rend(); ++it) {
    if ((*it)->rows() > 0 && (*it)->first_key() <= key) return it->get();
  }
  return nullptr;
}

std::shared_ptr<Segment> SegmentList::TailFor(size_t rows) {
  const std::shared_ptr<const Segments> segments = this->segments();
  const std::shared_ptr<Segment>& tail = segments->back();
  // A batch is never split, so that it is seen as a whole; segments have room for one more (SegmentShape::max_rows).
  if (rows == 0 || tail->rows() < segment_rows_) return tail;
  tail->CloseChunk();
  Segments next = *segments;
  next.push_back(make_());
  base::MutexLock lock(mutex_);
  tail_base_ += tail->rows();
  segments_ = std::make_shared<const Segments>(std::move(next));
  return segments_->back();
}

void SegmentList::Apply(BatchEffect effect) {
  base::MutexLock writer(writer_mutex_);
  const std::shared_ptr<Segment> tail = TailFor(effect.added.size());
  for (BatchEffect::Addition& added : effect.added) {
    tail->Append({added.key, std::move(added.id), added.descriptor.data(), &added.attributes});
  }
  const Moment now = Now();
  const uint64_t clock = now.clock + tail->pending_rows();
  for (const uint64_t key : effect.killed) {
    Segment* const holding = Holding(*now.segments, key);
    // A row of this very batch is not published yet, and only its own segment knows it.
    if (!tail->Kill(key, clock) && holding != nullptr) holding->Kill(key, clock);
  }
  for (const auto& [key, attributes] : effect.attributes) {
    Segment* const holding = Holding(*now.segments, key);
    if (!tail->SetAttributes(key, attributes) && holding != nullptr) holding->SetAttributes(key, attributes);
  }
  for (const auto& segment : *now.segments) segment->Publish();
  if (!replacing_) return;
  killed_meanwhile_.insert(killed_meanwhile_.end(), effect.killed.begin(), effect.killed.end());
  for (auto& change : effect.attributes) changed_meanwhile_.push_back(std::move(change));
}

void SegmentList::BeginReplacement() {
  base::MutexLock writer(writer_mutex_);
  replacing_ = true;
}

void SegmentList::AbandonReplacement() {
  base::MutexLock writer(writer_mutex_);
  replacing_ = false;
  killed_meanwhile_.clear();
  changed_meanwhile_.clear();
}

absl::Status SegmentList::Replace(const Segments& replaced, const std::shared_ptr<Segment>& replacement,
                                  const std::function<absl::Status()>& finish) {
  absl::Status status;
  {
    base::MutexLock writer(writer_mutex_);
    status = finish();
    if (status.ok()) {
      for (const uint64_t key : killed_meanwhile_) replacement->Kill(key, 0);
      for (const auto& [key, attributes] : changed_meanwhile_) replacement->SetAttributes(key, attributes);
      replacement->Publish();
      base::MutexLock lock(mutex_);
      Segments next;
      for (const auto& segment : *segments_) {
        if (segment == replaced.front()) next.push_back(replacement);
        if (std::find(replaced.begin(), replaced.end(), segment) == replaced.end()) next.push_back(segment);
      }
      // The clock goes on from where it was.
      const uint64_t clock = tail_base_ + segments_->back()->rows();
      tail_base_ = clock - next.back()->rows();
      segments_ = std::make_shared<const Segments>(std::move(next));
    }
  }
  AbandonReplacement();
  return status;
}

}  // namespace sightline::index
