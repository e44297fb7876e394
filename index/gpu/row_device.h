// RowDevice: where rows of segments are compared beside the CPU: blocks of rows that a card holds, and views of them
// that a search asks for the best rows by approximate scores, of which it knows how far they are off.
//
// certified_scan.h makes exact answers of such scores; resident_rows.h moves a segment's rows here.
//
// Threading: devices and views from any thread; a block by one thread until it is in a view, and then only read.
// Ownership: blocks and views share the device. Failure: Status. CARD_BUDGET and CARD_FULL: there is no room;
// ROW_BEYOND_HALF: rows that this device cannot hold; all others are the card's.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(std::shared_ptr<RowDevice> device, OpenRows(card));
//   SIGHTLINE_ASSIGN_OR_RETURN(std::unique_ptr<RowBlock> block, device->MakeBlock(dim, rows));
//   SIGHTLINE_RETURN_IF_ERROR(block->Append(values.data(), rows));
//   SIGHTLINE_ASSIGN_OR_RETURN(auto view, device->MakeView({std::move(block)}, block_rows, visible));
//   absl::StatusOr<std::vector<ScoredRow>> best = view->Best({.values = q.data(), .wanted = 100, .end = rows});
#ifndef SIGHTLINE_INDEX_GPU_ROW_DEVICE_H_
#define SIGHTLINE_INDEX_GPU_ROW_DEVICE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "index/ann/top_k.h"
#include "index/gpu/card.h"

namespace sightline::index::gpu {

// What the scores of some rows are off by, for a query q. With x' what the device holds of row x:
//
//   |score - <q,x>| <= |q| (residual + rounding (norm + residual)),   residual >= |x - x'|,   norm >= |x|
struct RowErrors {
  double residual = 0;
  double norm = 0;
  double rounding = 0;  // of a sum of products relative to |q| |x'|
};

class RowBlock {
 public:
  virtual ~RowBlock() = default;
  // Behind the rows that are there already. After an error the block is of no use.
  virtual absl::Status Append(const float* values, uint32_t count) = 0;
  virtual const RowErrors& errors() const = 0;
  // What it takes of the card's budget.
  virtual int64_t bytes() const = 0;
};

// Row r is row r % block_rows of block r / block_rows.
class RowView {
 public:
  struct Query {
    const float* values = nullptr;  // dim of them
    size_t wanted = 0;              // 1 to most_wanted()
    uint32_t end = 0;               // only rows before it
    // A bit for each row before `end` that may be seen, none of them for a row that is not in a block or not visible to
    // the view; empty takes all that are visible to the view.
    absl::Span<const uint64_t> visible = {};
  };

  virtual ~RowView() = default;
  // The `wanted` rows with the best scores, or all there are: best first, equal scores by row.
  virtual absl::StatusOr<std::vector<ScoredRow>> Best(const Query& query) const = 0;
  virtual const RowErrors& errors() const = 0;
  virtual size_t most_wanted() const = 0;
};

class RowDevice {
 public:
  virtual ~RowDevice() = default;
  virtual const std::shared_ptr<Card>& card() const = 0;
  // Below so many rows the way to the card and back costs more than it saves.
  virtual uint32_t min_rows() const = 0;
  virtual absl::StatusOr<std::unique_ptr<RowBlock>> MakeBlock(size_t dim, uint32_t rows) = 0;
  // `block_rows` is a power of two; a block that is null has no visible row. `visible` has a bit for each row of the
  // blocks.
  virtual absl::StatusOr<std::shared_ptr<const RowView>> MakeView(std::vector<std::shared_ptr<const RowBlock>> blocks,
                                                                  uint32_t block_rows,
                                                                  absl::Span<const uint64_t> visible) = 0;
};

struct RowDeviceOptions {
  uint32_t min_rows = 16'384;
};

// Rows on a card of OpenCard, within its budget for them.
absl::StatusOr<std::shared_ptr<RowDevice>> OpenRows(std::shared_ptr<Card> card, const RowDeviceOptions& options = {});

}  // namespace sightline::index::gpu

#endif  // SIGHTLINE_INDEX_GPU_ROW_DEVICE_H_
