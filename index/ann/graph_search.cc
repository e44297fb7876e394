#include <algorithm>
#include <bit>
#include <cstddef>

#include "index/ann/graph.h"

namespace sightline::index {
namespace {

constexpr size_t kLineBytes = 64;
// Expansions between two questions whether the search is still wanted.
constexpr int kCancelEvery = 64;
// A filtered search asks for guides where it finds no more rows than this, two links away.
constexpr size_t kFewPassing = 4;
// Rows that pass, from all over the segment, that a filtered search begins with.
constexpr size_t kSeeds = 32;

void PrefetchBytes(const void* from, size_t bytes) {
  const auto* at = static_cast<const uint8_t*>(from);
  for (size_t i = 0; i < bytes; i += kLineBytes) __builtin_prefetch(at + i);
}

bool WorseGuide(const GraphScored& a, const GraphScored& b) { return RanksBefore(b, a); }

}  // namespace

void Graph::Score(const kernels::Int8Query& query, GraphScratch& scratch) const {
  const size_t count = scratch.rows.size();
  scratch.codes.resize(count);
  scratch.scores.resize(count);
  for (size_t i = 0; i < count; ++i) scratch.codes[i] = codes_.Row(scratch.rows[i]);
  kernels::Int8ScoresAt(query, scratch.codes.data(), count, scratch.scores.data());
  scratch.compared += static_cast<int64_t>(count);
}

// The links of `row` that were not visited yet.
void Graph::Gather(int level, uint32_t row, GraphScratch& scratch) const {
  uint32_t* links = Links(level, row);
  const size_t size = ListSize(level);
  scratch.rows.clear();
  for (size_t i = 0; i < size; ++i) {
    const uint32_t link = std::atomic_ref(links[i]).load(std::memory_order_acquire);
    if (link == kEnd) break;
    if (scratch.visited.Insert(link - 1)) scratch.rows.push_back(link - 1);
  }
}

GraphScored Graph::Descend(const kernels::Int8Query& query, const Entry& from, int to_level,
                           GraphScratch& scratch) const {
  scratch.rows.assign(1, from.row);
  Score(query, scratch);
  GraphScored best{scratch.scores[0], from.row};
  for (int level = from.level; level > to_level; --level) {
    scratch.visited.Clear(256);
    for (bool moved = true; moved;) {
      moved = false;
      Gather(level, best.row, scratch);
      Score(query, scratch);
      for (size_t i = 0; i < scratch.rows.size(); ++i) {
        if (scratch.scores[i] <= best.score) continue;
        best = {scratch.scores[i], scratch.rows[i]};
        moved = true;
      }
    }
  }
  return best;
}

// Takes a row into the results, or as a guide to others.
template <class Visible>
void Graph::Offer(GraphScored scored, const Visible& visible, GraphScratch& scratch) {
  if (!scratch.best.Wants(scored.score)) return;
  if (visible(scored.row)) {
    scratch.best.Add(scored);
  } else {
    scratch.guides.push_back(scored);
    std::push_heap(scratch.guides.begin(), scratch.guides.end(), WorseGuide);
  }
}

// Best-first search from scratch.best and scratch.guides. False when it was stopped.
template <class Gatherer, class Visible>
bool Graph::Beam(const kernels::Int8Query& query, int level, const Request* request, const Gatherer& gather,
                 const Visible& visible, GraphScratch& scratch) const {
  BestList& best = scratch.best;
  std::vector<GraphScored>& guides = scratch.guides;
  const size_t list_bytes = ListSize(level) * sizeof(uint32_t);
  for (int expanded = 1;; ++expanded) {
    uint32_t row;
    const GraphScored* next = best.Next();
    if (!guides.empty() && (next == nullptr || RanksBefore(guides.front(), *next))) {
      if (!best.Wants(guides.front().score)) {
        guides.clear();
        continue;
      }
      row = guides.front().row;
      std::pop_heap(guides.begin(), guides.end(), WorseGuide);
      guides.pop_back();
    } else if (next != nullptr) {
      row = next->row;
      best.Expand();
    } else {
      return true;
    }
    gather(row);
    Score(query, scratch);
    for (size_t i = 0; i < scratch.rows.size(); ++i) {
      if (!best.Wants(scratch.scores[i])) continue;
      PrefetchBytes(Links(level, scratch.rows[i]), list_bytes);
      Offer({scratch.scores[i], scratch.rows[i]}, visible, scratch);
    }
    if (request == nullptr || expanded % kCancelEvery != 0) continue;
    if (scratch.compared > request->max_compared) return false;
    if (request->cancelled != nullptr && *request->cancelled && (*request->cancelled)()) return false;
  }
}

void Graph::SearchLevel(const kernels::Int8Query& query, int level, size_t ef, GraphScored start,
                        GraphScratch& scratch) const {
  scratch.visited.Clear(ef * ListSize(level));
  scratch.visited.Insert(start.row);
  scratch.guides.clear();
  scratch.best.Clear(ef);
  scratch.best.Add(start);
  const auto gather = [&](uint32_t row) { Gather(level, row, scratch); };
  Beam(
      query, level, nullptr, gather, [](uint32_t) { return true; }, scratch);
}

template <class Passes>
bool Graph::AnyOfEquals(uint32_t row, const Passes& passes) const {
  for (;;) {
    if (passes(row)) return true;
    const uint32_t next = std::atomic_ref(NodeOf(row).next_equal).load(std::memory_order_acquire);
    if (next == kEnd) return false;
    row = next - 1;
  }
}

// The unvisited rows around `row` that pass. Where few of a row's links pass, also those two links away: links that
// pass are then too few to find the way by, and asking for a bit costs a hundredth of comparing. Where even so hardly
// one passes, the neighbours that do not are taken as guides, as long as `guides_left`.
template <class Passes>
void Graph::GatherPassing(uint32_t row, const Passes& passes, size_t& guides_left, GraphScratch& scratch) const {
  uint32_t* links = Links(0, row);
  const size_t size = ListSize(0);
  size_t passing = 0;
  scratch.rows.clear();
  scratch.passed_by.clear();
  for (size_t i = 0; i < size; ++i) {
    const uint32_t link = std::atomic_ref(links[i]).load(std::memory_order_acquire);
    if (link == kEnd) break;
    if (!passes(link - 1)) {
      scratch.passed_by.push_back(link - 1);
    } else {
      ++passing;
      if (scratch.visited.Insert(link - 1)) scratch.rows.push_back(link - 1);
    }
  }
  if (passing >= m_) return;
  for (const uint32_t by : scratch.passed_by) PrefetchBytes(Links(0, by), size * sizeof(uint32_t));
  size_t guides = 0;
  for (const uint32_t by : scratch.passed_by) {
    if (passing >= size) break;
    if (!scratch.visited.Insert(by)) continue;
    scratch.passed_by[guides++] = by;
    uint32_t* further = Links(0, by);
    for (size_t i = 0; i < size; ++i) {
      const uint32_t link = std::atomic_ref(further[i]).load(std::memory_order_acquire);
      if (link == kEnd) break;
      if (!passes(link - 1)) continue;
      ++passing;
      if (scratch.visited.Insert(link - 1)) scratch.rows.push_back(link - 1);
    }
  }
  if (guides_left == 0 || passing > kFewPassing) return;
  --guides_left;
  scratch.rows.insert(scratch.rows.end(), scratch.passed_by.begin(),
                      scratch.passed_by.begin() + static_cast<std::ptrdiff_t>(guides));
}

bool Graph::IsNode(uint32_t row) const {
  const size_t chunk = row >> shift_;
  if (chunk >= chunks_.size() || chunks_[chunk].load(std::memory_order_acquire) == nullptr) return false;
  return std::atomic_ref(*Links(0, row)).load(std::memory_order_acquire) != kEnd;
}

// Rows that pass, from all over: where the filter goes with the descriptors, all that pass may lie far from where the
// search arrives.
template <class Passes>
void Graph::SeedPassing(const RowBits& filter, const Passes& passes, GraphScratch& scratch) const {
  scratch.rows.clear();
  const size_t words = filter.words.size();
  for (size_t i = 0; i < kSeeds && words > 0; ++i) {
    size_t word = i * words / kSeeds;
    const size_t end = (i + 1) * words / kSeeds;
    while (word < end && filter.words[word] == 0) ++word;
    if (word == end) continue;
    const auto row = static_cast<uint32_t>(word * 64) + static_cast<uint32_t>(std::countr_zero(filter.words[word]));
    if (IsNode(row) && passes(row) && scratch.visited.Insert(row)) scratch.rows.push_back(row);
  }
}

Graph::Result Graph::Search(const Request& request) const {
  Result result;
  const Entry from = entry();
  if (from.level < 0 || request.k == 0) return result;
  const bool equals = equals_.load(std::memory_order_acquire) > 0;
  const auto in_filter = [&](uint32_t row) { return request.filter == nullptr || request.filter->Contains(row); };
  const auto passes = [&](uint32_t row) { return in_filter(row) && request.accept(row); };
  const auto visible = [&](uint32_t row) { return equals ? AnyOfEquals(row, passes) : passes(row); };

  GraphScratch& scratch = GraphScratch::Get();
  scratch.compared = 0;
  const kernels::Int8Query& query = *request.query;
  const GraphScored start = Descend(query, from, 0, scratch);
  size_t ef = std::max(request.ef, request.k);
  if (request.filter != nullptr) ef = static_cast<size_t>(static_cast<double>(ef) * request.filter_width);
  scratch.visited.Clear(ef * ListSize(0));
  scratch.visited.Insert(start.row);
  scratch.guides.clear();
  scratch.best.Clear(ef);
  Offer(start, visible, scratch);
  bool finished;
  if (request.filter == nullptr) {
    const auto gather = [&](uint32_t row) { Gather(0, row, scratch); };
    finished = Beam(query, 0, &request, gather, visible, scratch);
  } else {
    const auto bits = [&](uint32_t row) { return equals ? AnyOfEquals(row, in_filter) : in_filter(row); };
    SeedPassing(*request.filter, bits, scratch);
    Score(query, scratch);
    for (size_t i = 0; i < scratch.rows.size(); ++i) Offer({scratch.scores[i], scratch.rows[i]}, visible, scratch);
    size_t guides_left = ef;
    const auto gather = [&](uint32_t row) { GatherPassing(row, bits, guides_left, scratch); };
    finished = Beam(query, 0, &request, gather, visible, scratch);
  }
  if (!finished) {
    result.gave_up = scratch.compared > request.max_compared;
    result.cancelled = !result.gave_up;
  }
  result.compared = scratch.compared;
  for (const GraphScored& found : scratch.best.rows()) {
    if (!equals) {
      result.best.push_back({found.score, found.row});
    } else {
      AnyOfEquals(found.row, [&](uint32_t row) {
        if (passes(row)) result.best.push_back({found.score, row});
        return result.best.size() == request.k;
      });
    }
    if (result.best.size() == request.k) break;
  }
  std::sort(result.best.begin(), result.best.end(), Better);
  return result;
}

}  // namespace sightline::index
