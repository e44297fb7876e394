// Refusal: when a card that had no room may be asked again: once memory of its budget has come back, or after a while,
// since others on the card, models say, give memory back without a word.
//
// Threading: one thread at a time. Ownership: borrows the card. Failure: none.
//
//   Refusal refusal(*card, absl::Seconds(30));
//   if (refusal.MayAsk() && !Ask().ok()) refusal.Note();
#ifndef SIGHTLINE_INDEX_GPU_REFUSAL_H_
#define SIGHTLINE_INDEX_GPU_REFUSAL_H_

#include <cstdint>
#include <optional>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "index/gpu/card.h"

namespace sightline::index::gpu {

class Refusal {
 public:
  Refusal(const Card& card, absl::Duration ask_again_after) : card_(card), ask_again_after_(ask_again_after) {}

  bool MayAsk() const { return refused_at_ != card_.releases() || absl::Now() >= ask_again_; }
  // After what was reserved for the attempt has been given back.
  void Note() {
    refused_at_ = card_.releases();
    ask_again_ = absl::Now() + ask_again_after_;
  }

 private:
  const Card& card_;
  const absl::Duration ask_again_after_;
  std::optional<int64_t> refused_at_;  // the card's releases then
  absl::Time ask_again_ = absl::InfinitePast();
};

}  // namespace sightline::index::gpu

#endif  // SIGHTLINE_INDEX_GPU_REFUSAL_H_
