// RunGate: lets only so many batches of all models run at once, in the order they asked.
//
// Every batcher runs its model with `--intra_op_threads` threads. Two models that run at once with all cores each would
// have twice as many threads as cores and take each other's caches; so as many run at once as there are cores for.
// Dividing the cores among the models that are loaded instead would make each slower also when the others are idle.
//
// Threading: any thread. Failure: none.
//
//   const RunGate::Pass pass(gate);
//   model.Embed(batch);
#ifndef SIGHTLINE_SERVER_RUN_GATE_H_
#define SIGHTLINE_SERVER_RUN_GATE_H_

#include <algorithm>
#include <cstdint>

#include "base/mutex.h"

namespace sightline::server {

class RunGate {
 public:
  explicit RunGate(int passes) : free_(std::max(1, passes)) {}
  RunGate(const RunGate&) = delete;
  RunGate& operator=(const RunGate&) = delete;

  // Waits until it is this thread's turn, and lets the next one in when it goes. Without a gate it waits for nothing.
  class Pass {
   public:
    explicit Pass(RunGate* gate) : gate_(gate) {
      if (gate_ != nullptr) gate_->Enter();
    }
    ~Pass() {
      if (gate_ != nullptr) gate_->Leave();
    }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    RunGate* const gate_;
  };

  // How many batches may run at once: as many as have cores for their threads. `intra_op_threads` 0 means all cores.
  static int PassesFor(int cores, int intra_op_threads) {
    return intra_op_threads <= 0 ? 1 : std::max(1, cores / intra_op_threads);
  }

 private:
  void Enter() {
    base::MutexLock lock(mutex_);
    const uint64_t ticket = next_ticket_++;
    while (free_ == 0 || serving_ != ticket) changed_.Wait(mutex_);
    --free_;
    ++serving_;
    changed_.NotifyAll();
  }
  void Leave() {
    base::MutexLock lock(mutex_);
    ++free_;
    changed_.NotifyAll();
  }

  base::Mutex mutex_;
  base::CondVar changed_;
  int free_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_ticket_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t serving_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RUN_GATE_H_
