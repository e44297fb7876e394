#include "server/rpc/reset_watch.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace sightline::server {
namespace {

constexpr auto kWindow = std::chrono::seconds(1);

}  // namespace

std::vector<std::string> ResetWatch::Look(int64_t started, int64_t heard_of,
                                          const std::function<std::vector<ConnectionCalls>()>& connections) {
  const base::Clock::Ticks now = clock_.Steady();
  const int64_t unheard = started - heard_of;
  lowest_ = std::min(lowest_, unheard);
  never_heard_ = std::min(never_heard_, unheard);
  if (now - since_ >= kWindow) {
    since_ = now;
    never_heard_ = std::exchange(lowest_, unheard);
  }
  if (unheard - never_heard_ < kMost) {
    started_by_.reset();
    return {};
  }
  std::vector<std::string> guilty;
  const std::vector<ConnectionCalls> all = connections();
  if (!started_by_.has_value()) {
    heard_of_before_ = heard_of;
    started_by_.emplace();
    for (const ConnectionCalls& connection : all) (*started_by_)[connection.peer] = connection.started;
    return {};
  }
  for (const ConnectionCalls& connection : all) {
    // One that was not there before has begun since.
    int64_t& before = (*started_by_)[connection.peer];
    if (connection.started - before - (heard_of - heard_of_before_) < kMost) continue;
    guilty.push_back(connection.peer);
    before = connection.started;
  }
  return guilty;
}

bool ResetWatch::Reset(const std::string& peer) {
  const base::Clock::Ticks now = clock_.Steady();
  base::MutexLock lock(mutex_);
  if (now - second_ >= kWindow) {
    second_ = now;
    resets_.clear();
  }
  // Counted on: the next caller may have the same port.
  return ++resets_[peer] % kMostResets == 0;
}

}  // namespace sightline::server
