// ResidentLists: the rows of a segment that are in inverted lists on a card (list_device.h), and searches that use
// them.
//
// Upkeep moves the rows that inverted lists on the CPU have taken, in their order, some a step; searches use the card
// as soon as it has nearly all of those. Rows that are dead when their turn comes stay behind; rows that die later are
// left out of what the card finds, for which it is asked for more than is wanted.
//
// The rows left behind belong to a clock (segment_list.h): a search with an earlier one, which might see them, does not
// use the card. A search with a filter does not either: FAISS's lists on a card know none.
//
// Threading: Advance and Leave on one thread at a time; Best on any, also meanwhile. Ownership: shares the device; its
// rows leave the card with it and with the last search of them. Failure: none that shows: the card notes it
// (Card::Failed), and everything stays on the CPU, or goes back there.
//
//   while (resident.Advance(quantizer, linked, table, read, 1024)) {}
//   std::optional<ResidentLists::Found> found = resident.Best({...});
#ifndef SIGHTLINE_INDEX_GPU_RESIDENT_LISTS_H_
#define SIGHTLINE_INDEX_GPU_RESIDENT_LISTS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "base/mutex.h"
#include "index/ann/coarse_quantizer.h"
#include "index/ann/row_table.h"
#include "index/ann/top_k.h"
#include "index/gpu/list_device.h"
#include "index/gpu/refusal.h"
#include "index/gpu/resident_rows.h"

namespace sightline::index::gpu {

class ResidentLists {
 public:
  // Rows behind those on the card that a search may be left to compare.
  static constexpr uint32_t kMostBehind = 8'192;

  struct Query {
    const float* values = nullptr;  // dim of them
    size_t wanted = 0;
    size_t nprobe = 0;
    uint32_t linked = 0;                        // the rows that the lists on the CPU would search
    uint64_t clock = 0;                         // of the search
    absl::FunctionRef<bool(uint32_t)> visible;  // to it
  };
  struct Found {
    std::vector<ScoredRow> best;  // visible rows before `covered`, best first
    uint32_t covered = 0;         // rows that were searched
  };

  ResidentLists(std::shared_ptr<ListDevice> device, size_t dim);
  ResidentLists(const ResidentLists&) = delete;
  ResidentLists& operator=(const ResidentLists&) = delete;

  // Moves up to `most` of the first `linked` rows. False when there is nothing to do, or nothing that can be done.
  bool Advance(const CoarseQuantizer& quantizer, uint32_t linked, const RowTable& table,
               absl::FunctionRef<absl::Status(uint32_t row, float* out)> read, uint32_t most);

  // Takes all rows off the card; Advance moves them there again. False when there were none. As Advance.
  bool Leave();

  // nullopt: the CPU's lists are to be searched.
  std::optional<Found> Best(const Query& query) const;

  RowsOnCard on_card() const;

 private:
  // What searches use. Rows come into it while they do.
  struct View {
    std::shared_ptr<CardLists> lists;
    std::atomic<uint32_t> covered = 0;  // the first so many rows are there, but for those that were dead
    std::atomic<uint64_t> clock = 0;    // of searches that may use it, at least; written before `covered`
    std::atomic<int64_t> rows = 0;      // that are there
    std::atomic<int64_t> bytes = 0;
  };

  bool Begin(const CoarseQuantizer& quantizer, uint32_t linked);
  void GiveUp(const absl::Status& why);
  std::shared_ptr<View> view() const;
  void SetView(std::shared_ptr<View> view);

  const std::shared_ptr<ListDevice> device_;
  const size_t dim_;

  // Advance's.
  bool never_ = false;  // a row cannot be read, or the card does not take them
  Refusal refusal_;
  std::vector<float> values_;
  std::vector<uint32_t> numbers_;

  mutable base::Mutex mutex_;  // held for copying a pointer
  std::shared_ptr<View> view_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sightline::index::gpu

#endif  // SIGHTLINE_INDEX_GPU_RESIDENT_LISTS_H_
