// ExactSegment: descriptors in memory, searched by comparing with every one of them.
//
// Rows are appended and never move. A row carries the number of rows at which it died, so that a search that took its
// snapshot (one number: how many rows there are) before an upsert sees the old row, and one that took it after sees the
// new row; never both, never neither.
//
// Threading: one writer at a time (Apply, Compacted); any number of readers meanwhile, without locks. What Apply
// published before it returned is seen by every search that starts afterwards.
// Ownership: copies what it is given. Failure: none but memory exhaustion.
//
//   ExactSegment segment(dim);
//   segment.Apply({{.key = 7, .id = "a", .descriptor = a}}, {});
//   auto found = segment.Search({.query = q.data(), .k = 10, .cancelled = {}});
#ifndef SIGHTLINE_INDEX_ANN_EXACT_SEGMENT_H_
#define SIGHTLINE_INDEX_ANN_EXACT_SEGMENT_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace sightline::index {

class ExactSegment {
 public:
  struct Addition {
    uint64_t key = 0;  // greater than every key added before
    std::string id;
    std::vector<float> descriptor;  // dim values, L2-normalised
  };

  struct Request {
    const float* query = nullptr;  // dim values, L2-normalised
    size_t k = 0;
    float min_score = -std::numeric_limits<float>::infinity();
    std::function<bool()> cancelled;  // asked once a chunk; may be empty
  };

  struct Match {
    std::string id;
    float score = 0;
  };

  struct Result {
    std::vector<Match> matches;  // best first; ties by key
    int64_t compared = 0;
    bool cancelled = false;
  };

  explicit ExactSegment(int dim);
  ExactSegment(const ExactSegment&) = delete;
  ExactSegment& operator=(const ExactSegment&) = delete;

  // Adds and kills, visible together. A killed key that is not here is ignored.
  void Apply(absl::Span<const Addition> added, absl::Span<const uint64_t> killed);

  Result Search(const Request& request) const;

  // A new segment of the rows alive, in the same order.
  std::unique_ptr<ExactSegment> Compacted() const;
  // Whether the dead rows cost more than copying the others would.
  bool WorthCompacting() const;

  int64_t live() const { return live_.load(std::memory_order_relaxed); }
  int64_t rows() const { return static_cast<int64_t>(rows_.load(std::memory_order_relaxed)); }
  int64_t descriptor_bytes() const;
  int64_t id_bytes() const;

 private:
  static constexpr uint64_t kAlive = std::numeric_limits<uint64_t>::max();

  struct AlignedDelete {
    void operator()(float* floats) const;
  };

  struct Chunk {
    Chunk(size_t rows, size_t stride);
    std::unique_ptr<float[], AlignedDelete> floats;  // rows * stride, each row 64-byte aligned
    std::vector<uint64_t> keys;
    std::vector<std::string> ids;
    std::vector<std::atomic<uint64_t>> died_at;  // the number of rows from which on the row is not seen
  };

  Chunk& ChunkAt(uint64_t index) const;
  Chunk& GrowTo(uint64_t index);
  void Append(uint64_t key, const std::string& id, const float* descriptor, uint64_t row);
  void Kill(uint64_t key, uint64_t rows_now);

  const size_t dim_;
  const size_t stride_;
  const size_t chunk_rows_;
  // Chunks in blocks of 1, 2, 4, ...: the directory never moves, so readers need nothing but the number of rows.
  std::array<std::unique_ptr<std::unique_ptr<Chunk>[]>, 40> blocks_;
  std::atomic<uint64_t> rows_ = 0;  // published: everything below is complete
  std::atomic<int64_t> live_ = 0;
  std::atomic<int64_t> id_bytes_ = 0;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_EXACT_SEGMENT_H_
