// ListDevice: where the inverted lists of segments are searched beside the CPU: a card, by FAISS (faiss_lists.h).
//
// The answers are candidates: the rows whose scores, in half precision, are best among those of the lists nearest to
// the query. resident_lists.h moves a segment's rows here, and decides which searches may use them.
//
// Threading: any thread; one search or Append at a time works on a device, the others wait. Ownership: lists share the
// device. Failure: Status. CARD_BUDGET and CARD_FULL: there is no room; after an error of Append the lists are of no
// use.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(std::shared_ptr<ListDevice> device, OpenLists(card));
//   SIGHTLINE_ASSIGN_OR_RETURN(auto lists, device->MakeLists(dim, centroids, rows));
//   SIGHTLINE_RETURN_IF_ERROR(lists->Append(numbers, values));
//   absl::StatusOr<std::vector<ScoredRow>> best = lists->Best({.values = q.data(), .wanted = 40, .nprobe = 32});
#ifndef SIGHTLINE_INDEX_GPU_LIST_DEVICE_H_
#define SIGHTLINE_INDEX_GPU_LIST_DEVICE_H_

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

class CardLists {
 public:
  struct Query {
    const float* values = nullptr;  // dim of them
    size_t wanted = 0;              // 1 to ListDevice::kMostWanted
    size_t nprobe = 0;              // lists to look into, 1 to ListDevice::kMostProbed; more than there are: all
  };

  virtual ~CardLists() = default;
  // rows.size() x dim values, each with the number that searches give back. A row comes into the list whose centroid
  // has the greatest inner product with it.
  virtual absl::Status Append(absl::Span<const uint32_t> rows, const float* values) = 0;
  // Best first, equal scores by row; fewer than `wanted` where these lists have no more.
  virtual absl::StatusOr<std::vector<ScoredRow>> Best(const Query& query) const = 0;
  // What they take of the card's budget.
  virtual int64_t bytes() const = 0;
};

class ListDevice {
 public:
  // FAISS's bounds on a card.
  static constexpr size_t kMostWanted = 2048;
  static constexpr size_t kMostProbed = 2048;

  virtual ~ListDevice() = default;
  virtual const std::shared_ptr<Card>& card() const = 0;
  // Empty lists of these centroids (lists x dim values); the budget for `rows` rows is reserved at once, that of
  // further ones when they come.
  virtual absl::StatusOr<std::shared_ptr<CardLists>> MakeLists(size_t dim, absl::Span<const float> centroids,
                                                               uint32_t rows) = 0;
};

struct ListDeviceOptions {
  size_t scratch_bytes = size_t{64} << 20;  // of the card, for what searches work with
};

// Lists on a card of OpenCard, within its budget for rows. UNIMPLEMENTED in a build without CUDA (NO_CUDA_BUILD), or
// whose FAISS has no GPU (NO_FAISS_GPU_BUILD).
absl::StatusOr<std::shared_ptr<ListDevice>> OpenLists(std::shared_ptr<Card> card,
                                                      const ListDeviceOptions& options = {});

}  // namespace sightline::index::gpu

#endif  // SIGHTLINE_INDEX_GPU_LIST_DEVICE_H_
