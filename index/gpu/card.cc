#include "index/gpu/card.h"

#include "absl/strings/str_cat.h"
#include "base/log.h"

namespace sightline::index::gpu {

CardMemory::~CardMemory() {
  if (card_ != nullptr) card_->Release(bytes_);
}

Card::Card(int device, std::string name, int64_t budget_bytes)
    : device_(device), name_(std::move(name)), budget_bytes_(budget_bytes) {}

absl::StatusOr<CardMemory> Card::Reserve(const std::shared_ptr<Card>& card, int64_t bytes) {
  int64_t used = card->used_bytes_.load(std::memory_order_relaxed);
  do {
    if (bytes > card->budget_bytes_ - used) {
      return base::Error(
          absl::StatusCode::kResourceExhausted, "CARD_BUDGET",
          absl::StrCat("the index may take ", card->budget_bytes_, " bytes of cuda:", card->device_, " and has ", used,
                       "; another ", bytes,
                       " do not fit. What is left is searched on the CPU; raise the card's share."),
          {{"limit", absl::StrCat(card->budget_bytes_)}, {"used", absl::StrCat(used)}, {"asked", absl::StrCat(bytes)}});
    }
  } while (!card->used_bytes_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  return CardMemory(card, bytes);
}

void Card::Release(int64_t bytes) {
  used_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
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
