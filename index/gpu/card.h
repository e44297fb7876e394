// Card: a graphics card of this process: how much of its memory the index and re-ranking may take, what they have done
// with it, and whether it still works. OpenCard opens one for both.
//
// What is moved to a card is a copy: whenever the card fails, the answer comes from the CPU. The first failure of each
// kind is logged with its reason, all are counted. After one that breaks CUDA's context (CARD_LOST) the card is lost,
// and nothing more is to be tried on it.
//
// This header knows nothing of CUDA, and is there in every build.
//
// Threading: all methods may be called from any thread. Ownership: shared by everything that is on the card.
// Failure: Status; RESOURCE_EXHAUSTED (CARD_BUDGET) where the budget is spent.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const std::shared_ptr<Card> card, OpenCard({.device = 0}));
//   SIGHTLINE_ASSIGN_OR_RETURN(auto rows, OpenRows(card));                // row_device.h
//   SIGHTLINE_ASSIGN_OR_RETURN(auto transport, OpenCardTransport(card));  // rerank/card_transport.h
//   SIGHTLINE_ASSIGN_OR_RETURN(CardMemory memory, Card::Reserve(card, CardUse::kRows, bytes));  // back when it ends
//   if (!card->lost()) card->Failed(Search());
#ifndef SIGHTLINE_INDEX_GPU_CARD_H_
#define SIGHTLINE_INDEX_GPU_CARD_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/status.h"

namespace sightline::index::gpu {

class Card;

// Whose the memory is; each has a budget of its own.
enum class CardUse { kRows, kTokens };

struct CardBudget {
  int64_t rows = 0;    // of segments, for exact search
  int64_t tokens = 0;  // of images, for re-ranking, and what that works with
};

// Whether an error says that the card's context is broken.
inline bool IsCardLost(const absl::Status& status) {
  return !status.ok() && base::GetErrorInfo(status).reason == "CARD_LOST";
}

// A part of a card's budget.
class CardMemory {
 public:
  CardMemory() = default;
  CardMemory(std::shared_ptr<Card> card, CardUse use, int64_t bytes)
      : card_(std::move(card)), use_(use), bytes_(bytes) {}
  CardMemory(CardMemory&& other) noexcept
      : card_(std::move(other.card_)), use_(other.use_), bytes_(std::exchange(other.bytes_, 0)) {}
  CardMemory& operator=(CardMemory&& other) noexcept {
    std::swap(card_, other.card_);
    std::swap(use_, other.use_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~CardMemory();

 private:
  std::shared_ptr<Card> card_;
  CardUse use_ = CardUse::kRows;
  int64_t bytes_ = 0;
};

struct CardCounts {
  int64_t scans = 0;        // answered with the card's help
  int64_t uncertified = 0;  // left to the CPU because scores were too close
  int64_t failures = 0;     // left to the CPU, or not moved to the card, because of an error
};

class Card {
 public:
  Card(int device, std::string name, const CardBudget& budget);
  Card(const Card&) = delete;
  Card& operator=(const Card&) = delete;

  int device() const { return device_; }
  const std::string& name() const { return name_; }
  int64_t budget_bytes(CardUse use) const { return use == CardUse::kRows ? budget_.rows : budget_.tokens; }
  int64_t used_bytes(CardUse use) const {
    return used_bytes_[static_cast<size_t>(use)].load(std::memory_order_relaxed);
  }

  static absl::StatusOr<CardMemory> Reserve(const std::shared_ptr<Card>& card, CardUse use, int64_t bytes);
  // How often memory was given back: who was refused may ask again once this has changed.
  int64_t releases() const { return releases_.load(std::memory_order_acquire); }

  bool lost() const { return lost_.load(std::memory_order_acquire); }
  // Notes an error of the card; OK is none.
  void Failed(const absl::Status& status);

  void CountScan() { scans_.fetch_add(1, std::memory_order_relaxed); }
  void CountUncertified() { uncertified_.fetch_add(1, std::memory_order_relaxed); }
  CardCounts counts() const;

 private:
  friend class CardMemory;
  void Release(CardUse use, int64_t bytes);

  const int device_;
  const std::string name_;
  const CardBudget budget_;
  std::array<std::atomic<int64_t>, 2> used_bytes_ = {};  // by CardUse
  std::atomic<int64_t> releases_ = 0;
  std::atomic<bool> lost_ = false;
  std::atomic<int64_t> scans_ = 0;
  std::atomic<int64_t> uncertified_ = 0;
  std::atomic<int64_t> failures_ = 0;
  base::Mutex mutex_;
  std::set<std::string> logged_ ABSL_GUARDED_BY(mutex_);  // reasons
};

struct CardOptions {
  int device = 0;
  int64_t row_bytes = 0;                   // 0: half of the card's memory; models and re-ranking need the rest
  int64_t token_bytes = int64_t{1} << 30;  // 40,000 images of 14x14x128 in int8
};

// UNIMPLEMENTED (NO_CUDA_BUILD) in a build without CUDA; FAILED_PRECONDITION where there is no driver (NO_CUDA_DRIVER),
// no such card (NO_SUCH_CARD), one that is too old (CARD_TOO_OLD), or one that has less memory than a budget
// (CARD_TOO_SMALL).
absl::StatusOr<std::shared_ptr<Card>> OpenCard(const CardOptions& options);

}  // namespace sightline::index::gpu

#endif  // SIGHTLINE_INDEX_GPU_CARD_H_
