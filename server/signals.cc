#include "server/signals.h"

#include <pthread.h>
#include <unistd.h>

#include "base/log.h"

namespace sightline::server {
namespace {

// Ends the thread; nobody else sends it.
constexpr int kEndThread = SIGUSR2;

const char* SignalName(int signal) {
  switch (signal) {
    case SIGTERM: return "SIGTERM";
    case SIGINT: return "SIGINT";
    default: return "SIGHUP";
  }
}

[[noreturn]] void EndAtOnce(base::Severity severity, const char* why, int signal, int code) {
  base::Log(severity, why, {{"signal", SignalName(signal)}});
  // No destructors: threads are at work, and everything acknowledged is on disk.
  ::_exit(code);
}

}  // namespace

Signals::Signals() {
  sigemptyset(&set_);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, kEndThread}) sigaddset(&set_, signal);
  pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  thread_ = std::thread([this] { Take(); });
}

Signals::~Signals() {
  pthread_kill(thread_.native_handle(), kEndThread);
  thread_.join();
}

void Signals::SetPhase(Phase phase) {
  base::MutexLock lock(mutex_);
  phase_ = phase;
}

int Signals::Next() {
  base::MutexLock lock(mutex_);
  while (waiting_.empty()) arrived_.Wait(mutex_);
  const int signal = waiting_.front();
  waiting_.pop_front();
  return signal;
}

void Signals::Take() {
  pthread_setname_np(pthread_self(), "signals");
  int signal = 0;
  while (sigwait(&set_, &signal) == 0 && signal != kEndThread) {
    base::MutexLock lock(mutex_);
    if (signal != SIGHUP && phase_ == Phase::kStarting) {
      EndAtOnce(base::Severity::kInfo, "stopped while starting", signal, 0);
    }
    if (signal != SIGHUP && (phase_ == Phase::kStopping || (!waiting_.empty() && waiting_.back() != SIGHUP))) {
      EndAtOnce(base::Severity::kWarning, "asked to end a second time: requests in hand are dropped", signal, 1);
    }
    base::Log(base::Severity::kInfo, "signal received", {{"signal", SignalName(signal)}});
    if (signal == SIGHUP && !waiting_.empty()) continue;  // one that waits reads what is there by then
    waiting_.push_back(signal);
    arrived_.NotifyOne();
  }
}

}  // namespace sightline::server
