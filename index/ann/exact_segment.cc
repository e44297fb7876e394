#include "index/ann/exact_segment.h"

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

#include "index/ann/top_k.h"
#include "index/kernels/inner_product.h"

namespace sightline::index {
namespace {

constexpr size_t kAlignment = 64;
// About 0.2 ms of reading at memory bandwidth: how often a search asks whether it is still wanted.
constexpr size_t kChunkBytes = 4 << 20;
// Scores of one kernel call stay in the first-level cache.
constexpr size_t kBlockRows = 256;

size_t StrideOf(size_t dim) {
  constexpr size_t kFloats = kAlignment / sizeof(float);
  return (dim + kFloats - 1) / kFloats * kFloats;
}

}  // namespace

void ExactSegment::AlignedDelete::operator()(float* floats) const {
  ::operator delete[](floats, std::align_val_t{kAlignment});
}

ExactSegment::Chunk::Chunk(size_t rows, size_t stride)
    : floats(static_cast<float*>(::operator new[](rows* stride * sizeof(float), std::align_val_t{kAlignment}))),
      keys(rows),
      ids(rows),
      died_at(rows) {}

ExactSegment::ExactSegment(int dim)
    : dim_(static_cast<size_t>(dim)),
      stride_(StrideOf(dim_)),
      chunk_rows_(std::bit_floor(std::max<size_t>(kChunkBytes / (stride_ * sizeof(float)), 1))) {}

ExactSegment::Chunk& ExactSegment::ChunkAt(uint64_t index) const {
  const int block = std::bit_width(index + 1) - 1;
  return *blocks_[static_cast<size_t>(block)][index + 1 - (uint64_t{1} << block)];
}

ExactSegment::Chunk& ExactSegment::GrowTo(uint64_t index) {
  const int block = std::bit_width(index + 1) - 1;
  auto& chunks = blocks_[static_cast<size_t>(block)];
  if (chunks == nullptr) chunks = std::make_unique<std::unique_ptr<Chunk>[]>(uint64_t{1} << block);
  auto& chunk = chunks[index + 1 - (uint64_t{1} << block)];
  if (chunk == nullptr) chunk = std::make_unique<Chunk>(chunk_rows_, stride_);
  return *chunk;
}

void ExactSegment::Append(uint64_t key, const std::string& id, const float* descriptor, uint64_t row) {
  const size_t at = row % chunk_rows_;
  Chunk& chunk = GrowTo(row / chunk_rows_);
  std::copy_n(descriptor, dim_, chunk.floats.get() + at * stride_);
  chunk.keys[at] = key;
  chunk.ids[at] = id;
  chunk.died_at[at].store(kAlive, std::memory_order_relaxed);
  live_.fetch_add(1, std::memory_order_relaxed);
  id_bytes_.fetch_add(static_cast<int64_t>(id.size() + sizeof(std::string)), std::memory_order_relaxed);
}

void ExactSegment::Kill(uint64_t key, uint64_t rows_now) {
  // Rows are in the order of their keys.
  uint64_t low = 0;
  uint64_t high = rows_now;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (ChunkAt(middle / chunk_rows_).keys[middle % chunk_rows_] < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == rows_now) return;
  Chunk& chunk = ChunkAt(low / chunk_rows_);
  std::atomic<uint64_t>& died_at = chunk.died_at[low % chunk_rows_];
  if (chunk.keys[low % chunk_rows_] != key || died_at.load(std::memory_order_relaxed) != kAlive) return;
  died_at.store(rows_now, std::memory_order_relaxed);
  live_.fetch_sub(1, std::memory_order_relaxed);
}

void ExactSegment::Apply(absl::Span<const Addition> added, absl::Span<const uint64_t> killed) {
  uint64_t row = rows_.load(std::memory_order_relaxed);
  for (const Addition& addition : added) Append(addition.key, addition.id, addition.descriptor.data(), row++);
  for (const uint64_t key : killed) Kill(key, row);
  rows_.store(row, std::memory_order_release);
}

ExactSegment::Result ExactSegment::Search(const Request& request) const {
  Result result;
  const uint64_t rows = rows_.load(std::memory_order_acquire);
  TopK top(request.k, request.min_score);
  float scores[kBlockRows];
  for (uint64_t first = 0; first < rows; first += chunk_rows_) {
    if (request.cancelled && request.cancelled()) {
      result.cancelled = true;
      return result;
    }
    const Chunk& chunk = ChunkAt(first / chunk_rows_);
    const size_t in_chunk = std::min<uint64_t>(chunk_rows_, rows - first);
    for (size_t begin = 0; begin < in_chunk; begin += kBlockRows) {
      const size_t count = std::min(kBlockRows, in_chunk - begin);
      kernels::InnerProducts(request.query, chunk.floats.get() + begin * stride_, dim_, stride_, count, scores);
      for (size_t i = 0; i < count; ++i) {
        if (chunk.died_at[begin + i].load(std::memory_order_relaxed) <= rows) continue;
        ++result.compared;
        if (top.Wants(scores[i])) top.Add(scores[i], first + begin + i);
      }
    }
  }
  const std::vector<ScoredRow> best = std::move(top).Take();
  result.matches.reserve(best.size());
  for (const ScoredRow& scored : best) {
    result.matches.push_back({ChunkAt(scored.row / chunk_rows_).ids[scored.row % chunk_rows_], scored.score});
  }
  return result;
}

std::unique_ptr<ExactSegment> ExactSegment::Compacted() const {
  auto segment = std::make_unique<ExactSegment>(static_cast<int>(dim_));
  const uint64_t rows = rows_.load(std::memory_order_acquire);
  uint64_t kept = 0;
  for (uint64_t row = 0; row < rows; ++row) {
    const Chunk& chunk = ChunkAt(row / chunk_rows_);
    const size_t at = row % chunk_rows_;
    if (chunk.died_at[at].load(std::memory_order_relaxed) != kAlive) continue;
    segment->Append(chunk.keys[at], chunk.ids[at], chunk.floats.get() + at * stride_, kept++);
  }
  segment->rows_.store(kept, std::memory_order_release);
  return segment;
}

bool ExactSegment::WorthCompacting() const {
  const int64_t dead = rows() - live();
  return dead > live() && dead >= static_cast<int64_t>(chunk_rows_);
}

int64_t ExactSegment::descriptor_bytes() const {
  const int64_t chunk_rows = static_cast<int64_t>(chunk_rows_);
  return (rows() + chunk_rows - 1) / chunk_rows * chunk_rows * static_cast<int64_t>(stride_ * sizeof(float));
}

int64_t ExactSegment::id_bytes() const { return id_bytes_.load(std::memory_order_relaxed); }

}  // namespace sightline::index
