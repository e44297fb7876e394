#include "index/ann/graph.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <new>
#include <thread>

namespace sightline::index {
namespace {

// Any constant does; it stays the same so that files keep their levels.
constexpr uint64_t kLevelSeed = 0x5349474854ULL;

uint64_t MixBits(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31);
}

size_t RoundToPage(size_t bytes) { return (bytes + 4095) / 4096 * 4096; }

}  // namespace

// The writer's lock of one node. Held for microseconds.
class Graph::NodeLock {
 public:
  explicit NodeLock(Node& node) : lock_(node.lock) {
    while (lock_.exchange(1, std::memory_order_acquire) != 0) std::this_thread::yield();
  }
  ~NodeLock() { lock_.store(0, std::memory_order_release); }
  NodeLock(const NodeLock&) = delete;
  NodeLock& operator=(const NodeLock&) = delete;

 private:
  std::atomic_ref<uint8_t> lock_;
};

void Graph::Unmap::operator()(uint8_t* memory) const { ::munmap(memory, bytes); }

Graph::Graph(const CodeTable& codes, Options options)
    : codes_(codes),
      options_{std::clamp(options.m, kMinM, kMaxM), std::max(options.ef_construction, 1)},
      m_(static_cast<size_t>(options_.m)),
      shift_(std::countr_zero(codes.chunk_rows())),
      mask_(codes.chunk_rows() - 1),
      chunks_((codes.max_rows() + mask_) >> shift_) {}

int Graph::LevelOf(uint32_t row, int m) {
  // A row reaches level l with probability m^-l.
  const uint64_t hash = MixBits(kLevelSeed + row * 0x9E3779B97F4A7C15ULL);
  uint64_t bar = std::numeric_limits<uint64_t>::max();
  int level = 0;
  while (level < kMaxLevel && hash < (bar /= static_cast<uint64_t>(m))) ++level;
  return level;
}

std::unique_ptr<Graph::Chunk> Graph::MakeChunk(uint32_t index) const {
  const uint32_t rows = mask_ + 1;
  size_t upper_lists = 0;
  for (uint32_t i = 0; i < rows; ++i) upper_lists += static_cast<size_t>(LevelOf(index * rows + i, options_.m));
  const size_t link_bytes = RoundToPage(rows * 2 * m_ * sizeof(uint32_t));
  const size_t node_bytes = RoundToPage(rows * sizeof(Node));
  const size_t bytes = link_bytes + node_bytes + RoundToPage(upper_lists * m_ * sizeof(uint32_t));
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  ::madvise(memory, bytes, MADV_HUGEPAGE);
  auto chunk = std::make_unique<Chunk>();
  chunk->memory = {static_cast<uint8_t*>(memory), Unmap{bytes}};
  chunk->links = reinterpret_cast<uint32_t*>(chunk->memory.get());
  chunk->nodes = reinterpret_cast<Node*>(chunk->memory.get() + link_bytes);
  chunk->upper = reinterpret_cast<uint32_t*>(chunk->memory.get() + link_bytes + node_bytes);
  size_t upper_at = 0;
  for (uint32_t i = 0; i < rows; ++i) {
    Node& node = chunk->nodes[i];
    node.level = static_cast<uint8_t>(LevelOf(index * rows + i, options_.m));
    node.upper_at = static_cast<uint32_t>(upper_at);
    upper_at += node.level * m_;
  }
  return chunk;
}

Graph::Chunk& Graph::EnsureChunk(uint32_t row) {
  std::atomic<Chunk*>& slot = chunks_[row >> shift_];
  if (Chunk* chunk = slot.load(std::memory_order_acquire); chunk != nullptr) return *chunk;
  base::MutexLock lock(mutex_);
  if (Chunk* chunk = slot.load(std::memory_order_acquire); chunk != nullptr) return *chunk;
  owned_.push_back(MakeChunk(row >> shift_));
  Chunk& chunk = *owned_.back();
  memory_bytes_.fetch_add(static_cast<int64_t>(chunk.memory.get_deleter().bytes), std::memory_order_relaxed);
  slot.store(&chunk, std::memory_order_release);
  return chunk;
}

uint32_t* Graph::Links(int level, uint32_t row) const {
  const Chunk& chunk = ChunkOf(row);
  const uint32_t at = row & mask_;
  if (level == 0) return chunk.links + at * 2 * m_;
  return chunk.upper + chunk.nodes[at].upper_at + static_cast<size_t>(level - 1) * m_;
}

std::vector<uint32_t> Graph::ReadLinks(int level, uint32_t row) const {
  std::vector<uint32_t> rows;
  uint32_t* links = Links(level, row);
  for (size_t i = 0; i < ListSize(level); ++i) {
    const uint32_t link = std::atomic_ref(links[i]).load(std::memory_order_acquire);
    if (link == kEnd) break;
    rows.push_back(link - 1);
  }
  return rows;
}

Graph::Entry Graph::entry() const {
  const uint64_t packed = entry_.load(std::memory_order_acquire);
  return {static_cast<uint32_t>(packed), static_cast<int>(packed >> 32) - 1};
}

void Graph::RaiseEntry(uint32_t row, int level) {
  const uint64_t packed = static_cast<uint64_t>(level + 1) << 32 | row;
  uint64_t now = entry_.load(std::memory_order_relaxed);
  while (packed >> 32 > now >> 32 && !entry_.compare_exchange_weak(now, packed, std::memory_order_acq_rel)) {
  }
}

void Graph::Insert(uint32_t row) {
  const int level = EnsureChunk(row).nodes[row & mask_].level;
  if (uint64_t empty = 0;
      entry_.compare_exchange_strong(empty, static_cast<uint64_t>(level + 1) << 32 | row, std::memory_order_acq_rel)) {
    size_.fetch_add(1, std::memory_order_release);
    return;
  }
  GraphScratch& scratch = GraphScratch::Get();
  const kernels::Int8Query& query = GraphScratch::Query(scratch.inserted, codes_.layout(), codes_.Row(row));
  const Entry from = entry();
  const int top = std::min(level, from.level);
  GraphScored start = Descend(query, from, top, scratch);
  std::array<std::vector<GraphScored>, kMaxLevel + 1> chosen;
  for (int l = top; l >= 0; --l) {
    SearchLevel(query, l, static_cast<size_t>(options_.ef_construction), start, scratch);
    start = scratch.best.rows().front();
    if (l == 0 && HangOnEqual(row, scratch)) return;
    scratch.candidates = scratch.best.rows();
    KeepDiverse(m_, scratch);
    chosen[static_cast<size_t>(l)] = scratch.candidates;
  }
  // All of the node's own lists before any link to it: whoever comes by a link can go on, on every level.
  for (int l = 0; l <= top; ++l) {
    uint32_t* links = Links(l, row);
    for (const GraphScored& to : chosen[static_cast<size_t>(l)]) {
      std::atomic_ref(*links++).store(to.row + 1, std::memory_order_release);
    }
  }
  for (int l = 0; l <= top; ++l) {
    for (const GraphScored& to : chosen[static_cast<size_t>(l)]) Connect(l, to.row, row, scratch);
  }
  RaiseEntry(row, level);
  size_.fetch_add(1, std::memory_order_release);
}

bool Graph::HangOnEqual(uint32_t row, GraphScratch& scratch) {
  const uint8_t* codes = codes_.Row(row);
  float self = 0;
  kernels::Int8ScoresAt(*scratch.inserted, &codes, 1, &self);
  for (const GraphScored& near : scratch.best.rows()) {
    if (near.score != self || near.row > row || std::memcmp(codes_.Row(near.row), codes, codes_.layout().stride) != 0)
      continue;
    Node& node = NodeOf(near.row);
    {
      NodeLock lock(node);
      NodeOf(row).next_equal = node.next_equal;
      std::atomic_ref(node.next_equal).store(row + 1, std::memory_order_release);
    }
    equals_.fetch_add(1, std::memory_order_release);
    size_.fetch_add(1, std::memory_order_release);
    return true;
  }
  return false;
}

void Graph::Connect(int level, uint32_t row, uint32_t to, GraphScratch& scratch) {
  NodeLock lock(NodeOf(row));
  uint32_t* links = Links(level, row);
  const size_t size = ListSize(level);
  scratch.rows.clear();
  for (size_t i = 0; i < size; ++i) {
    const uint32_t link = std::atomic_ref(links[i]).load(std::memory_order_acquire);
    if (link == kEnd) {
      std::atomic_ref(links[i]).store(to + 1, std::memory_order_release);
      return;
    }
    scratch.rows.push_back(link - 1);
  }
  scratch.rows.push_back(to);
  Score(GraphScratch::Query(scratch.other, codes_.layout(), codes_.Row(row)), scratch);
  scratch.candidates.clear();
  for (size_t i = 0; i < scratch.rows.size(); ++i) scratch.candidates.push_back({scratch.scores[i], scratch.rows[i]});
  std::sort(scratch.candidates.begin(), scratch.candidates.end(), RanksBefore);
  KeepDiverse(size, scratch);
  for (size_t i = 0; i < size; ++i) {
    const uint32_t link = i < scratch.candidates.size() ? scratch.candidates[i].row + 1 : kEnd;
    std::atomic_ref(links[i]).store(link, std::memory_order_release);
  }
}

// Of scratch.candidates, best first, keeps those that are nearer to the row they are candidates of than to any
// candidate kept before (Algorithm 4 of the paper). Each one kept strikes out others by one call of the kernel.
void Graph::KeepDiverse(size_t limit, GraphScratch& scratch) const {
  std::vector<GraphScored>& left = scratch.left;
  left.swap(scratch.candidates);
  scratch.candidates.clear();
  while (!left.empty()) {
    scratch.candidates.push_back(left.front());
    if (scratch.candidates.size() == limit) break;
    scratch.rows.clear();
    for (size_t i = 1; i < left.size(); ++i) scratch.rows.push_back(left[i].row);
    Score(GraphScratch::Query(scratch.other, codes_.layout(), codes_.Row(left.front().row)), scratch);
    size_t kept = 0;
    for (size_t i = 1; i < left.size(); ++i) {
      if (scratch.scores[i - 1] <= left[i].score) left[kept++] = left[i];
    }
    left.resize(kept);
  }
}

}  // namespace sightline::index
