#include "index/filter/number_index.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace sightline::index {

size_t NumberIndex::Block::LowerBound(const Entry& entry) const {
  auto begin = std::lower_bound(keys.begin(), keys.end(), entry.key);
  const auto first = static_cast<size_t>(begin - keys.begin());
  const auto last = static_cast<size_t>(std::upper_bound(begin, keys.end(), entry.key) - keys.begin());
  const auto row = std::lower_bound(rows.begin() + static_cast<ptrdiff_t>(first),
                                    rows.begin() + static_cast<ptrdiff_t>(last), entry.row);
  return static_cast<size_t>(row - rows.begin());
}

size_t NumberIndex::BlockOf(const Entry& entry) const {
  const auto after = std::upper_bound(firsts_.begin(), firsts_.end(), entry);
  return after == firsts_.begin() ? 0 : static_cast<size_t>(after - firsts_.begin()) - 1;
}

NumberIndex::Place NumberIndex::LowerBound(const Entry& entry) const {
  if (blocks_.empty()) return {0, 0};
  const size_t block = BlockOf(entry);
  const size_t offset = blocks_[block].LowerBound(entry);
  return offset == blocks_[block].keys.size() ? Place{block + 1, 0} : Place{block, offset};
}

void NumberIndex::Add(uint64_t key, uint32_t row) {
  const Entry entry{key, row};
  max_row_ = std::max(max_row_, row);
  if (blocks_.empty()) {
    blocks_.emplace_back();
    firsts_.push_back(entry);
  }
  const size_t at = BlockOf(entry);
  Block& block = blocks_[at];
  const auto offset = static_cast<ptrdiff_t>(block.LowerBound(entry));
  block.keys.insert(block.keys.begin() + offset, key);
  block.rows.insert(block.rows.begin() + offset, row);
  firsts_[at] = std::min(firsts_[at], entry);
  for (auto milestone = milestones_.rbegin(); milestone != milestones_.rend() && milestone->block > at; ++milestone) {
    milestone->before.add(row);
  }
  if (block.keys.size() > kBlockEntries) Split(at);
}

void NumberIndex::Remove(uint64_t key, uint32_t row) {
  const Entry entry{key, row};
  const size_t at = BlockOf(entry);
  Block& block = blocks_[at];
  const auto offset = static_cast<ptrdiff_t>(block.LowerBound(entry));
  block.keys.erase(block.keys.begin() + offset);
  block.rows.erase(block.rows.begin() + offset);
  for (auto milestone = milestones_.rbegin(); milestone != milestones_.rend() && milestone->block > at; ++milestone) {
    milestone->before.remove(row);
  }
  if (block.keys.empty()) {
    Erase(at);
    return;
  }
  // Rows whose numbers change again and again would leave nothing but blocks of a few entries.
  MergeIfSmall(at);
  if (at > 0) MergeIfSmall(at - 1);
}

// Makes one block of this and the next one if that leaves it room to grow.
void NumberIndex::MergeIfSmall(size_t at) {
  if (at + 1 >= blocks_.size()) return;
  Block& block = blocks_[at];
  const Block& next = blocks_[at + 1];
  if (block.keys.size() + next.keys.size() > kBlockEntries / 2) return;
  block.keys.insert(block.keys.end(), next.keys.begin(), next.keys.end());
  block.rows.insert(block.rows.end(), next.rows.begin(), next.rows.end());
  std::erase_if(milestones_, [at](const Milestone& milestone) { return milestone.block == at + 1; });
  Erase(at + 1);
  PlaceMilestone(at);
}

void NumberIndex::Split(size_t at) {
  Block& block = blocks_[at];
  // Numbers that only grow, as times do, would leave every block half full.
  const bool last = at + 1 == blocks_.size();
  const auto half = static_cast<ptrdiff_t>(last ? kBlockEntries : kBlockEntries / 2);
  Block upper;
  upper.keys.assign(block.keys.begin() + half, block.keys.end());
  upper.rows.assign(block.rows.begin() + half, block.rows.end());
  block.keys.resize(static_cast<size_t>(half));
  block.rows.resize(static_cast<size_t>(half));
  block.keys.shrink_to_fit();
  block.rows.shrink_to_fit();
  const auto place = static_cast<ptrdiff_t>(at) + 1;
  firsts_.insert(firsts_.begin() + place, upper.at(0));
  blocks_.insert(blocks_.begin() + place, std::move(upper));
  for (Milestone& milestone : milestones_) {
    if (milestone.block > at) ++milestone.block;
  }
  PlaceMilestone(at);
}

void NumberIndex::Erase(size_t at) {
  blocks_.erase(blocks_.begin() + static_cast<ptrdiff_t>(at));
  firsts_.erase(firsts_.begin() + static_cast<ptrdiff_t>(at));
  for (Milestone& milestone : milestones_) {
    if (milestone.block > at) --milestone.block;
  }
  // Two that have come to stand at one place say the same, and one before everything says nothing.
  const auto repeats = [](const Milestone& a, const Milestone& b) { return a.block == b.block; };
  milestones_.erase(std::unique(milestones_.begin(), milestones_.end(), repeats), milestones_.end());
  if (!milestones_.empty() && milestones_.front().block == 0) milestones_.erase(milestones_.begin());
}

// Puts a milestone into the gap around `block` when it has grown to twice the usual distance.
void NumberIndex::PlaceMilestone(size_t block) {
  const auto next = std::upper_bound(milestones_.begin(), milestones_.end(), block,
                                     [](size_t at, const Milestone& milestone) { return at < milestone.block; });
  const size_t begin = next == milestones_.begin() ? 0 : std::prev(next)->block;
  const size_t end = next == milestones_.end() ? blocks_.size() : next->block;
  if (end - begin < 2 * kMilestoneBlocks) return;
  Milestone milestone{begin + kMilestoneBlocks, {}};
  if (next != milestones_.begin()) milestone.before = std::prev(next)->before;
  RowUnion rows;
  for (size_t i = begin; i < milestone.block; ++i) rows.Add(blocks_[i].rows);
  milestone.before |= rows.Take();
  milestone.before.runOptimize();
  milestones_.insert(next, std::move(milestone));
}

const NumberIndex::Milestone* NumberIndex::NearestMilestone(size_t block) const {
  const auto next = std::lower_bound(milestones_.begin(), milestones_.end(), block,
                                     [](const Milestone& milestone, size_t at) { return milestone.block < at; });
  const Milestone* const previous = next == milestones_.begin() ? nullptr : &*std::prev(next);
  const size_t behind = block - (previous == nullptr ? 0 : previous->block);
  return next == milestones_.end() || behind <= next->block - block ? previous : &*next;
}

template <typename Function>
void NumberIndex::ForEachPiece(Place begin, Place end, Function function) const {
  for (size_t i = begin.block; i <= end.block && i < blocks_.size(); ++i) {
    const size_t from = i == begin.block ? begin.offset : 0;
    const size_t to = i == end.block ? end.offset : blocks_[i].rows.size();
    function(absl::MakeConstSpan(blocks_[i].rows).subspan(from, to - from));
  }
}

Roaring NumberIndex::Range(uint64_t least, uint64_t most) const {
  if (least > most || blocks_.empty()) return {};
  const Place begin = LowerBound({least, 0});
  const Place end = most == std::numeric_limits<uint64_t>::max() ? Place{blocks_.size(), 0} : LowerBound({most + 1, 0});
  const Milestone* const first = NearestMilestone(begin.block);
  const Milestone* const last = NearestMilestone(end.block);
  if (first == last) {
    RowUnion rows;
    ForEachPiece(begin, end, [&rows](absl::Span<const uint32_t> piece) { rows.Add(piece); });
    return rows.Take();
  }
  thread_local std::vector<uint64_t> words;
  words.assign(size_t{max_row_} / 64 + 1, 0);
  const auto insert = [](absl::Span<const uint32_t> rows) {
    for (const uint32_t row : rows) words[row / 64] |= uint64_t{1} << (row % 64);
  };
  const auto erase = [](absl::Span<const uint32_t> rows) {
    for (const uint32_t row : rows) words[row / 64] &= ~(uint64_t{1} << (row % 64));
  };
  const auto correct = [this](Place from, Place to, const auto& change) { ForEachPiece(from, to, change); };
  OrInto(last->before, absl::MakeSpan(words));
  const Place last_place{last->block, 0};
  if (last->block <= end.block) {
    correct(last_place, end, insert);
  } else {
    correct(end, last_place, erase);
  }
  const Place first_place{first == nullptr ? 0 : first->block, 0};
  if (first != nullptr) AndNotInto(first->before, absl::MakeSpan(words));
  if (first_place.block <= begin.block) {
    correct(first_place, begin, erase);
  } else {
    correct(begin, first_place, insert);
  }
  return FromWords(words);
}

void NumberIndex::Compress() {
  for (Milestone& milestone : milestones_) milestone.before.runOptimize();
}

size_t NumberIndex::memory_bytes() const {
  size_t bytes = blocks_.capacity() * sizeof(Block) + firsts_.capacity() * sizeof(Entry) +
                 milestones_.capacity() * sizeof(Milestone);
  for (const Block& block : blocks_) {
    bytes += block.keys.capacity() * sizeof(uint64_t) + block.rows.capacity() * sizeof(uint32_t);
  }
  for (const Milestone& milestone : milestones_) bytes += BitmapBytes(milestone.before);
  return bytes;
}

}  // namespace sightline::index
