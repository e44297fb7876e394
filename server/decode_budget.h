// DecodeBudget: the memory that all images under way may take together while they are decoded, taken before any of it
// is used. Whoever does not fit waits for others to finish, first come, first served.
//
// Threading: all methods may be called from any thread; Take blocks. Ownership: a Share gives its part back when it
// goes; the budget must outlive it. Failure: INVALID_ARGUMENT for what would never fit; the request's own end while it
// waits.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const DecodeBudget::Share share, budget.Take(bytes, *request));
#ifndef SIGHTLINE_SERVER_DECODE_BUDGET_H_
#define SIGHTLINE_SERVER_DECODE_BUDGET_H_

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "server/request.h"

namespace sightline::server {

class DecodeBudget {
 public:
  class Share {
   public:
    Share(Share&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)), bytes_(other.bytes_) {}
    Share& operator=(Share&&) = delete;
    ~Share() {
      if (budget_ != nullptr) budget_->Return(bytes_);
    }

   private:
    friend class DecodeBudget;
    Share(DecodeBudget* budget, int64_t bytes) : budget_(budget), bytes_(bytes) {}
    DecodeBudget* budget_;
    int64_t bytes_;
  };

  explicit DecodeBudget(int64_t limit) : limit_(limit) {}
  DecodeBudget(const DecodeBudget&) = delete;
  DecodeBudget& operator=(const DecodeBudget&) = delete;

  absl::StatusOr<Share> Take(int64_t bytes, const Request& request);

  int64_t limit() const { return limit_; }
  int64_t in_use() const;

 private:
  void Return(int64_t bytes);

  const int64_t limit_;
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  int64_t in_use_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t next_ticket_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t served_ ABSL_GUARDED_BY(mutex_) = 0;  // the ticket whose turn it is
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_DECODE_BUDGET_H_
