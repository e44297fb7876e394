// Request: what every stage of the server needs to know about the call it works for, whatever carried it here.
//
// Threading: all methods may be called from any thread. Ownership: shared_ptr; a stage that outlives the call keeps it.
// Failure: Check() turns a passed deadline or a cancelled call into a Status.
#ifndef SIGHTLINE_SERVER_REQUEST_H_
#define SIGHTLINE_SERVER_REQUEST_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/call_info.h"

namespace sightline::server {

// Time spent in one stage.
struct Stage {
  const char* name;  // a literal
  double milliseconds;
  int batch_size;  // 0 where it means nothing
};

class Request {
 public:
  Request(const base::Clock& clock, base::Clock::Ticks deadline)
      : clock_(clock), start_(clock.Steady()), deadline_(deadline) {}

  // A request of its own that ends with this one: an item of a stream that brings its own, earlier deadline.
  static std::shared_ptr<Request> Within(std::shared_ptr<Request> outer, base::Clock::Ticks deadline) {
    auto inner = std::make_shared<Request>(outer->clock_, std::min(deadline, outer->deadline_));
    inner->outer_ = std::move(outer);
    return inner;
  }

  // Who asks for what; of an inner request, the outer one's. Set before the request is shared.
  const CallInfo& call() const { return outer_ != nullptr ? outer_->call() : call_; }
  CallInfo* mutable_call() { return &call_; }

  const base::Clock& clock() const { return clock_; }
  base::Clock::Ticks start() const { return start_; }
  base::Clock::Ticks deadline() const { return deadline_; }

  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const {
    return cancelled_.load(std::memory_order_relaxed) || (outer_ != nullptr && outer_->cancelled());
  }
  bool expired() const { return clock_.Steady() >= deadline_; }

  // OK while the answer is still wanted.
  absl::Status Check() const;

  // How many images a write has written, changed or deleted, for the audit log; nothing until it is known.
  void SetItems(int64_t items) {
    if (outer_ != nullptr) return outer_->SetItems(items);
    items_.store(items, std::memory_order_relaxed);
  }
  std::optional<int64_t> items() const {
    const int64_t items = items_.load(std::memory_order_relaxed);
    return items < 0 ? std::nullopt : std::optional(items);
  }

  void AddStage(const char* name, double milliseconds, int batch_size = 0);
  std::vector<Stage> stages() const;
  double ElapsedMilliseconds() const { return base::MillisecondsBetween(start_, clock_.Steady()); }

 private:
  const base::Clock& clock_;
  const base::Clock::Ticks start_;
  const base::Clock::Ticks deadline_;
  CallInfo call_;
  std::shared_ptr<Request> outer_;  // null for a whole call
  std::atomic<bool> cancelled_ = false;
  std::atomic<int64_t> items_ = -1;
  mutable base::Mutex mutex_;
  std::vector<Stage> stages_ ABSL_GUARDED_BY(mutex_);
};

using RequestPtr = std::shared_ptr<Request>;

// Times a stage from construction to destruction.
class StageTimer {
 public:
  StageTimer(Request& request, const char* name) : request_(request), name_(name), start_(request.clock().Steady()) {}
  ~StageTimer() { request_.AddStage(name_, base::MillisecondsBetween(start_, request_.clock().Steady())); }
  StageTimer(const StageTimer&) = delete;
  StageTimer& operator=(const StageTimer&) = delete;

 private:
  Request& request_;
  const char* const name_;
  const base::Clock::Ticks start_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_REQUEST_H_
