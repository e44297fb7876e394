// IndexCard: the graphics card on which this server's index compares and re-ranks, where it has one.
//
// Opened once, at start, for both. What it holds are copies, and what it answers is what the CPU would: where it has no
// room or fails, the CPU goes on, and the card says so once in the log (index/gpu/card.h).
//
// Threading: open once; what is in it, and what is told of it, may be used from any thread. Ownership: shares the card
// with the database; outlives the services. Failure: with a card that was named, the Status of whatever keeps it from
// being used; with kAuto the log says why the CPU is used.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(IndexCard card, OpenIndexCard(options.index_card));
//   database_options.card = card.rows;
#ifndef SIGHTLINE_SERVER_INDEX_CARD_H_
#define SIGHTLINE_SERVER_INDEX_CARD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "index/gpu/card.h"
#include "index/gpu/list_device.h"
#include "index/gpu/row_device.h"
#include "index/rerank/transport_device.h"
#include "server/metrics.h"

namespace sightline::server {

// What --index_device says.
struct CardChoice {
  enum class Kind {
    kCpu,
    kAuto,  // the first card that will do, or the CPU
    kCard,
  };
  Kind kind = Kind::kCpu;
  int card = 0;  // of kCard
};

struct IndexCardOptions {
  CardChoice choice;
  int64_t row_bytes = 0;                   // of the card, for descriptors; 0: half of it
  int64_t token_bytes = int64_t{1} << 30;  // for patch tokens; 0: re-ranking stays on the CPU
};

struct IndexCard {
  std::shared_ptr<index::gpu::RowDevice> rows;                // null: the CPU
  std::shared_ptr<index::gpu::ListDevice> lists;              // null: inverted lists are searched on the CPU
  std::shared_ptr<index::rerank::TransportDevice> transport;  // likewise
  std::string why_not;                                        // with kAuto, what kept a card from being used
};

// What opens cards; tests bring their own.
struct CardOpener {
  std::function<absl::StatusOr<std::shared_ptr<index::gpu::Card>>(const index::gpu::CardOptions&)> card;
  std::function<absl::StatusOr<std::shared_ptr<index::gpu::RowDevice>>(std::shared_ptr<index::gpu::Card>)> rows;
  std::function<absl::StatusOr<std::shared_ptr<index::gpu::ListDevice>>(std::shared_ptr<index::gpu::Card>)> lists;
  std::function<absl::StatusOr<std::unique_ptr<index::rerank::TransportDevice>>(std::shared_ptr<index::gpu::Card>)>
      transport;
};
// With CUDA, where this build has it.
CardOpener CudaCards();

// Without its memory: the card that was chosen, or the first that is new enough. What opening would refuse, this does.
absl::StatusOr<std::shared_ptr<index::gpu::Card>> FindIndexCard(const IndexCardOptions& options,
                                                                const CardOpener& opener = CudaCards());

absl::StatusOr<IndexCard> OpenIndexCard(const IndexCardOptions& options, const CardOpener& opener = CudaCards());

// "cuda:0".
std::string CardName(const index::gpu::Card& card);

// For /statusz: a few lines; empty where no card was asked for.
std::string CardText(const IndexCard& card);

// For /metrics; nothing without a card.
void AddCardSamples(const IndexCard& card, std::vector<Metrics::Sample>* samples);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_INDEX_CARD_H_
