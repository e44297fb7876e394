// Signals: SIGTERM, SIGINT and SIGHUP of the server, from its first moment to its last.
//
// What a request to end means depends on how far the server is: while it starts it has promised nobody anything, so it
// ends at once with 0; while it serves, main is told and drains; while it drains, a second one means at once, with 1.
// Ending at once loses nothing that was acknowledged.
//
// Threading: make it on the main thread before any other thread starts, so that all inherit the blocked signals;
// SetPhase and Next on that thread. Ownership: owns a thread. Failure: none.
//
//   Signals signals;
//   ... start ...
//   signals.SetPhase(Signals::Phase::kServing);
//   while (signals.Next() == SIGHUP) Reload();
//   signals.SetPhase(Signals::Phase::kStopping);
#ifndef SIGHTLINE_SERVER_SIGNALS_H_
#define SIGHTLINE_SERVER_SIGNALS_H_

#include <csignal>
#include <deque>
#include <thread>

#include "base/mutex.h"

namespace sightline::server {

class Signals {
 public:
  enum class Phase { kStarting, kServing, kStopping };

  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  void SetPhase(Phase phase);

  // While serving: waits for the next one. SIGHUP that came earlier counts.
  int Next();

 private:
  void Take();

  sigset_t set_;
  base::Mutex mutex_;
  base::CondVar arrived_;
  Phase phase_ ABSL_GUARDED_BY(mutex_) = Phase::kStarting;
  std::deque<int> waiting_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SIGNALS_H_
