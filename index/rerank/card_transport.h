// A CUDA card as a TransportDevice.
//
// All of its memory is taken once, when it is opened: what it holds is tokens that stay (the least recently used make
// room), and what a batch needs while it runs. A batch that does not fit is divided; a pair that does not fit alone is
// refused. Uploads go through a pinned buffer, and everything through one stream.
//
// Threading: thread-safe; calls wait for each other. Ownership: the device owns its part of the card's memory until it
// is destroyed. Failure: of Score, RESOURCE_EXHAUSTED (CARD_FULL) where a pair does not fit, INTERNAL as in
// index/gpu/cuda_status.h; once the card is lost every call fails at once with CARD_LOST. Each kind of failure is
// logged the first time and counted every time (index/gpu/card.h). Opening fails with RESOURCE_EXHAUSTED where the card
// has not even the least that is of use, and with UNIMPLEMENTED (NO_CUDA_BUILD) in a build without CUDA.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<TransportDevice> card, OpenCardTransport({.device = 0}));
#ifndef SIGHTLINE_INDEX_RERANK_CARD_TRANSPORT_H_
#define SIGHTLINE_INDEX_RERANK_CARD_TRANSPORT_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "index/rerank/transport_device.h"

namespace sightline::index::rerank {

struct CardTransportOptions {
  int device = 0;
  // Of the card's memory: 40,000 images of 14x14x128 in int8 to the GiB. Half of it as often as need be where the card
  // has not that much, down to `least_bytes`: enough for one pair of the largest grids in float32.
  size_t bytes = size_t{1} << 30;
  size_t least_bytes = size_t{16} << 20;
};

absl::StatusOr<std::unique_ptr<TransportDevice>> OpenCardTransport(const CardTransportOptions& options);

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_CARD_TRANSPORT_H_
