#include "server/decode_budget.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::server {
namespace {

// How soon a cancelled request lets the next one pass.
constexpr auto kCancelLook = std::chrono::milliseconds(100);

}  // namespace

absl::StatusOr<DecodeBudget::Share> DecodeBudget::Take(int64_t bytes, const Request& request) {
  if (bytes > limit_) {
    return base::InvalidArgument(
        "IMAGE_EXCEEDS_DECODE_MEMORY",
        absl::StrCat("image takes ", (bytes + (1 << 20) - 1) >> 20, " MiB to decode; the limit for all images is ",
                     limit_ >> 20, " MiB. Resize it, or raise --decode_memory."),
        {{"limit", absl::StrCat(limit_)}, {"actual", absl::StrCat(bytes)}});
  }
  base::MutexLock lock(mutex_);
  const uint64_t ticket = next_ticket_++;
  absl::Status status;
  // Whoever gives up keeps its place until it is its turn, which is soon: all before it either have their memory or
  // give up as well.
  while (served_ != ticket || (in_use_ + bytes > limit_ && (status = request.Check()).ok())) {
    changed_.WaitUntil(mutex_, std::chrono::steady_clock::now() + kCancelLook);
  }
  ++served_;
  changed_.NotifyAll();
  if (!status.ok()) return status;
  in_use_ += bytes;
  return Share(this, bytes);
}

void DecodeBudget::Return(int64_t bytes) {
  base::MutexLock lock(mutex_);
  in_use_ -= bytes;
  changed_.NotifyAll();
}

int64_t DecodeBudget::in_use() const {
  base::MutexLock lock(mutex_);
  return in_use_;
}

}  // namespace sightline::server
