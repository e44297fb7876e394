// ResidentRows: which rows of a segment are on a card (row_device.h), and searches that use them.
//
// Upkeep moves the sealed chunks of a segment, one after the other, some rows a step. A chunk takes part as soon as it
// is there as a whole; its rows that are dead then are hidden on the card, and again once many more have died. What is
// not on the card (chunks to come, the tail, chunks that the card cannot hold, everything after it failed) is left to
// the CPU. Whatever the card answers is certified (certified_scan.h), so a search gives what it gives without a card.
//
// The hidden rows belong to a clock (segment_list.h): a search with an earlier one, which might see them, does not use
// the card.
//
// Threading: Advance and Leave on one thread at a time; Scan on any, also meanwhile. Ownership: shares the device; its
// rows leave the card with it and with the last search of them. Failure: none that shows: the card notes it
// (Card::Failed).
//
//   while (resident.Advance(sealed, table, dead, read, 1024)) {}
//   std::vector<RowRange> left;
//   std::optional<ScanResult> found = resident.Scan({rows, clock}, request, source, run, &left);
#ifndef SIGHTLINE_INDEX_GPU_RESIDENT_ROWS_H_
#define SIGHTLINE_INDEX_GPU_RESIDENT_ROWS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "index/ann/exact_scan.h"
#include "index/ann/row_table.h"
#include "index/gpu/refusal.h"
#include "index/gpu/row_device.h"
#include "roaring/roaring.hh"

namespace sightline::index::gpu {

struct RowRange {
  uint32_t begin = 0;
  uint32_t end = 0;
};

struct RowsOnCard {
  int64_t rows = 0;
  int64_t bytes = 0;
};

class ResidentRows {
 public:
  // Which rows a search looks at.
  struct Scope {
    uint32_t rows = 0;  // the first so many
    uint64_t clock = 0;
    const Roaring* matching = nullptr;  // null: all
  };

  ResidentRows(std::shared_ptr<RowDevice> device, size_t dim, uint32_t chunk_rows);
  ResidentRows(const ResidentRows&) = delete;
  ResidentRows& operator=(const ResidentRows&) = delete;

  // Moves up to `most` rows, or hides the dead. `sealed[c]` says how many rows chunk c has for good, 0 while it may
  // grow; `dead`, how many rows are dead. False when there is nothing to do, or nothing that can be done.
  bool Advance(absl::Span<const uint32_t> sealed, const RowTable& table, int64_t dead,
               absl::FunctionRef<absl::Status(uint32_t row, float* out)> read, uint32_t most);

  // Takes all rows off the card; Advance moves them there again. False when there were none. As Advance.
  bool Leave();

  // The best of the rows on the card; `left` becomes the rows that are still to be compared. nullopt: all of them.
  std::optional<ScanResult> Scan(const Scope& scope, const ScanRequest& request, RowSource& source, const ScanRun& run,
                                 std::vector<RowRange>* left) const;

  // On the card, and used by searches.
  RowsOnCard on_card() const;

 private:
  enum class Place : uint8_t { kCpu, kCard, kNever };
  struct View {
    std::shared_ptr<const RowView> rows;
    std::vector<RowRange> on_card;  // ascending, not touching
    uint32_t most = 0;              // rows of on_card together
    int64_t bytes = 0;              // what these take
    uint32_t end = 0;               // of the chunks that `rows` knows
    std::vector<uint64_t> visible;
    uint64_t clock = 0;  // of searches that may use it, at least
  };

  bool Begin(absl::Span<const uint32_t> sealed);
  bool Grow(const RowTable& table, int64_t dead, absl::FunctionRef<absl::Status(uint32_t row, float* out)> read,
            uint32_t most);
  void Show(const RowTable& table, int64_t dead);
  std::shared_ptr<const View> view() const;
  void SetView(std::shared_ptr<const View> view);

  const std::shared_ptr<RowDevice> device_;
  const size_t dim_;
  const uint32_t chunk_rows_;

  // Advance's.
  std::vector<Place> places_;
  std::vector<uint32_t> chunk_sizes_;  // rows of the chunks on the card
  std::vector<std::shared_ptr<const RowBlock>> blocks_;
  std::unique_ptr<RowBlock> growing_;
  uint32_t growing_chunk_ = 0;
  uint32_t growing_size_ = 0;
  uint32_t grown_ = 0;
  int64_t hidden_at_ = 0;  // how many rows were dead when they were hidden last
  bool stale_ = false;     // the card has blocks that searches do not use yet
  Refusal refusal_;
  std::vector<float> values_;

  mutable base::Mutex mutex_;  // held for copying a pointer
  std::shared_ptr<const View> view_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sightline::index::gpu

#endif  // SIGHTLINE_INDEX_GPU_RESIDENT_ROWS_H_
