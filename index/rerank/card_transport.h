// A CUDA card as a TransportDevice.
//
// All of its memory, the card's budget for tokens, is taken once, when it is opened: what it holds is tokens that stay
// (the least recently used make room), and what a batch needs while it runs. A batch that does not fit is divided; a
// pair that does not fit alone is refused. Uploads go through a pinned buffer, and everything through one stream.
//
// Threading: thread-safe; calls wait for each other. Ownership: the device owns its part of the card's memory until it
// is destroyed. Failure: of Score, RESOURCE_EXHAUSTED (CARD_FULL) where a pair does not fit, INTERNAL as in
// index/gpu/cuda_status.h; once the card is lost every call fails at once with CARD_LOST. Each kind of failure is
// logged the first time and counted every time (index/gpu/card.h). Opening fails with RESOURCE_EXHAUSTED where the
// card, or its budget, has not even the least that is of use.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<TransportDevice> device, OpenCardTransport(card));
#ifndef SIGHTLINE_INDEX_RERANK_CARD_TRANSPORT_H_
#define SIGHTLINE_INDEX_RERANK_CARD_TRANSPORT_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "index/gpu/card.h"
#include "index/rerank/transport_device.h"

namespace sightline::index::rerank {

inline constexpr size_t kLeastTransportBytes = size_t{16} << 20;

struct CardTransportOptions {
  // Where the card has less left than the budget, half of that is tried, and so on, down to this: enough for one pair
  // of the largest grids in float32.
  size_t least_bytes = kLeastTransportBytes;
};

// On a card of OpenCard.
absl::StatusOr<std::unique_ptr<TransportDevice>> OpenCardTransport(std::shared_ptr<gpu::Card> card,
                                                                   const CardTransportOptions& options = {});

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_CARD_TRANSPORT_H_
