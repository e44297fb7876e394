#include "index/memory_budget.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"

namespace sightline::index {
namespace {

constexpr absl::Duration kCountEvery = absl::Milliseconds(50);

}  // namespace

absl::Status MemoryBudget::Admit(size_t bytes) {
  const int64_t limit = limit_.load(std::memory_order_relaxed);
  if (limit == 0) return absl::OkStatus();
  int64_t used;
  {
    base::MutexLock lock(mutex_);
    const absl::Time now = absl::Now();
    if (now - counted_at_ >= kCountEvery || used_ > limit) {
      used_ = count_();
      counted_at_ = now;
    }
    used_ += static_cast<int64_t>(bytes);
    used = used_;
  }
  if (used <= limit) return absl::OkStatus();
  return base::RetryableError(
      absl::StatusCode::kResourceExhausted, "MEMORY_BUDGET",
      absl::StrCat("the collections would hold ", used, " bytes of memory; the budget is ", limit,
                   ". Delete images or collections, or raise --memory_budget; searches go on."),
      absl::Seconds(5), {{"limit", absl::StrCat(limit)}, {"actual", absl::StrCat(used)}});
}

}  // namespace sightline::index
