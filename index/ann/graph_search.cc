#include <algorithm>
#include <utility>

#include "index/ann/graph.h"

namespace sightline::index {
namespace {

constexpr size_t kLineBytes = 64;
// Expansions between two questions whether the search is still wanted.
constexpr int kCancelEvery = 64;

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

// Best-first search from scratch.best and scratch.guides. False when it was stopped.
template <class Visible>
bool Graph::Beam(const kernels::Int8Query& query, int level, const Request* request, const Visible& visible,
                 GraphScratch& scratch) const {
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
    Gather(level, row, scratch);
    Score(query, scratch);
    for (size_t i = 0; i < scratch.rows.size(); ++i) {
      if (!best.Wants(scratch.scores[i])) continue;
      const GraphScored scored{scratch.scores[i], scratch.rows[i]};
      PrefetchBytes(Links(level, scored.row), list_bytes);
      if (visible(scored.row)) {
        best.Add(scored);
      } else {
        guides.push_back(scored);
        std::push_heap(guides.begin(), guides.end(), WorseGuide);
      }
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
  Beam(
      query, level, nullptr, [](uint32_t) { return true; }, scratch);
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

Graph::Result Graph::Search(const Request& request) const {
  Result result;
  const Entry from = entry();
  if (from.level < 0 || request.k == 0) return result;
  const bool equals = equals_.load(std::memory_order_acquire) > 0;
  const auto passes = [&](uint32_t row) {
    return (request.filter == nullptr || request.filter->Contains(row)) && request.accept(row);
  };
  const auto visible = [&](uint32_t row) { return equals ? AnyOfEquals(row, passes) : passes(row); };

  GraphScratch& scratch = GraphScratch::Get();
  scratch.compared = 0;
  const GraphScored start = Descend(*request.query, from, 0, scratch);
  const size_t ef = std::max(request.ef, request.k);
  scratch.visited.Clear(ef * ListSize(0));
  scratch.visited.Insert(start.row);
  scratch.guides.clear();
  scratch.best.Clear(ef);
  if (visible(start.row)) {
    scratch.best.Add(start);
  } else {
    scratch.guides.push_back(start);
  }
  if (!Beam(*request.query, 0, &request, visible, scratch)) {
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
