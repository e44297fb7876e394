// Lists in an inverted index of FAISS, in half precision, wherever FAISS computes it: on a card (faiss_card.cc), or on
// the CPU, which is how the tests see it work without one.
//
// Threading, ownership, failure: list_device.h. What FAISS throws ends here: what it could not allocate is
// RESOURCE_EXHAUSTED (CARD_FULL), all else INTERNAL (FAISS_FAILED). What FAISS only asserts, as it does with CUDA's
// other errors, ends the process.
//
//   auto device = MakeFaissLists(card, [](size_t dim, absl::Span<const float> centroids) -> FaissIndex { ... });
#ifndef SIGHTLINE_INDEX_GPU_FAISS_LISTS_H_
#define SIGHTLINE_INDEX_GPU_FAISS_LISTS_H_

#include <cstddef>
#include <functional>
#include <memory>

#include "absl/types/span.h"
#include "index/gpu/list_device.h"

namespace faiss {
struct Index;
}  // namespace faiss

namespace sightline::index::gpu {

// An index and what it refers to. The last goes first.
struct FaissIndex {
  std::shared_ptr<void> resources;
  std::shared_ptr<faiss::Index> centroids;
  std::shared_ptr<faiss::Index> lists;
};

// An inverted index by inner product, trained with these centroids and empty; its search takes
// faiss::SearchParametersIVF. May throw what FAISS throws.
using MakeFaissIndex = std::function<FaissIndex(size_t dim, absl::Span<const float> centroids)>;

std::shared_ptr<ListDevice> MakeFaissLists(std::shared_ptr<Card> card, MakeFaissIndex make);

}  // namespace sightline::index::gpu

#endif  // SIGHTLINE_INDEX_GPU_FAISS_LISTS_H_
