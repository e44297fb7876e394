// Card: a graphics card of this process: how much of its memory the index may take, and whether it still works.
//
// What is moved to a card is a copy: whenever the card fails, the answer comes from the CPU. The first failure of each
// kind is logged with its reason, all are counted. After one that breaks CUDA's context (CARD_LOST) the card is lost,
// and nothing more is to be tried on it.
//
// This header knows nothing of CUDA, and is there in every build; OpenRows of row_device.h opens a card.
//
// Threading: all methods may be called from any thread. Ownership: shared by everything that is on the card.
// Failure: Status; RESOURCE_EXHAUSTED (CARD_BUDGET) where the budget is spent.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(CardMemory memory, Card::Reserve(card, bytes));  // given back when it ends
//   if (!card->lost()) card->Failed(Search());
#ifndef SIGHTLINE_INDEX_GPU_CARD_H_
#define SIGHTLINE_INDEX_GPU_CARD_H_

#include <atomic>
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

// Whether an error says that the card's context is broken.
inline bool IsCardLost(const absl::Status& status) {
  return !status.ok() && base::GetErrorInfo(status).reason == "CARD_LOST";
}

// A part of a card's budget.
class CardMemory {
 public:
  CardMemory() = default;
  CardMemory(std::shared_ptr<Card> card, int64_t bytes) : card_(std::move(card)), bytes_(bytes) {}
  CardMemory(CardMemory&& other) noexcept : card_(std::move(other.card_)), bytes_(std::exchange(other.bytes_, 0)) {}
  CardMemory& operator=(CardMemory&& other) noexcept {
    std::swap(card_, other.card_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~CardMemory();

 private:
  std::shared_ptr<Card> card_;
  int64_t bytes_ = 0;
};

struct CardCounts {
  int64_t scans = 0;        // answered with the card's help
  int64_t uncertified = 0;  // left to the CPU because scores were too close
  int64_t failures = 0;     // left to the CPU, or not moved to the card, because of an error
};

class Card {
 public:
  Card(int device, std::string name, int64_t budget_bytes);
  Card(const Card&) = delete;
  Card& operator=(const Card&) = delete;

  int device() const { return device_; }
  const std::string& name() const { return name_; }
  int64_t budget_bytes() const { return budget_bytes_; }
  int64_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }

  static absl::StatusOr<CardMemory> Reserve(const std::shared_ptr<Card>& card, int64_t bytes);
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
  void Release(int64_t bytes);

  const int device_;
  const std::string name_;
  const int64_t budget_bytes_;
  std::atomic<int64_t> used_bytes_ = 0;
  std::atomic<int64_t> releases_ = 0;
  std::atomic<bool> lost_ = false;
  std::atomic<int64_t> scans_ = 0;
  std::atomic<int64_t> uncertified_ = 0;
  std::atomic<int64_t> failures_ = 0;
  base::Mutex mutex_;
  std::set<std::string> logged_ ABSL_GUARDED_BY(mutex_);  // reasons
};

}  // namespace sightline::index::gpu

#endif  // SIGHTLINE_INDEX_GPU_CARD_H_
