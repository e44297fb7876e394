#include "index/gpu/card.h"

#include "absl/strings/str_cat.h"
#include "base/log.h"

namespace sightline::index::gpu {

CardMemory::~CardMemory() {
  if (card_ != nullptr) card_->Release(use_, bytes_);
}

Card::Card(int device, std::string name, const CardBudget& budget)
    : device_(device), name_(std::move(name)), budget_(budget) {}

absl::StatusOr<CardMemory> Card::Reserve(const std::shared_ptr<Card>& card, CardUse use, int64_t bytes) {
  const int64_t budget = card->budget_bytes(use);
  std::atomic<int64_t>& used_bytes = card->used_bytes_[static_cast<size_t>(use)];
  int64_t used = used_bytes.load(std::memory_order_relaxed);
  do {
    if (bytes > budget - used) {
      return base::Error(
          absl::StatusCode::kResourceExhausted, "CARD_BUDGET",
          absl::StrCat(use == CardUse::kRows ? "the index" : "re-ranking", " may take ", budget,
                       " bytes of cuda:", card->device_, " and has ", used, "; another ", bytes,
                       " do not fit. What is left is done on the CPU; give it more of the card."),
          {{"limit", absl::StrCat(budget)}, {"used", absl::StrCat(used)}, {"asked", absl::StrCat(bytes)}});
    }
  } while (!used_bytes.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  return CardMemory(card, use, bytes);
}

void Card::Release(CardUse use, int64_t bytes) {
  used_bytes_[static_cast<size_t>(use)].fetch_sub(bytes, std::memory_order_relaxed);
  releases_.fetch_add(1, std::memory_order_release);
}

void Card::Failed(const absl::Status& status) {
  if (status.ok()) return;
  failures_.fetch_add(1, std::memory_order_relaxed);
  if (IsCardLost(status)) lost_.store(true, std::memory_order_release);
  {
    base::MutexLock lock(mutex_);
    if (!logged_.insert(base::GetErrorInfo(status).reason).second) return;
  }
  base::Log(base::Severity::kWarning,
            lost() ? "a card is lost; its searches are done on the CPU from now on"
                   : "a card could not do its part; that is done on the CPU",
            {{"card", absl::StrCat("cuda:", device_)}, {"name", name_}, {"reason", std::string(status.message())}});
}

CardCounts Card::counts() const {
  return {.scans = scans_.load(std::memory_order_relaxed),
          .uncertified = uncertified_.load(std::memory_order_relaxed),
          .failures = failures_.load(std::memory_order_relaxed)};
}

}  // namespace sightline::index::gpu
