// MemoryBudget: how much memory the collections of a database may hold together; beyond it writes are refused.
//
// What is held is counted now and then, not with every write: the count may lag by what is written in 50 ms.
//
// Threading: all methods may be called from any thread. Ownership: `count` must stay callable while the object lives.
// Failure: Admit refuses with RESOURCE_EXHAUSTED.
//
//   MemoryBudget budget(8LL << 30, [&] { return CountBytes(); });
//   SIGHTLINE_RETURN_IF_ERROR(budget.Admit(bytes));
#ifndef SIGHTLINE_INDEX_MEMORY_BUDGET_H_
#define SIGHTLINE_INDEX_MEMORY_BUDGET_H_

#include <atomic>
#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/mutex.h"

namespace sightline::index {

class MemoryBudget {
 public:
  // `limit` 0 admits everything and counts nothing.
  MemoryBudget(int64_t limit, std::function<int64_t()> count) : limit_(limit), count_(std::move(count)) {}

  absl::Status Admit(size_t bytes);
  void SetLimit(int64_t limit) { limit_.store(limit, std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> limit_;
  const std::function<int64_t()> count_;
  base::Mutex mutex_;
  int64_t used_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time counted_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_MEMORY_BUDGET_H_
