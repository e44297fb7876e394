#include "base/kill_point.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"

namespace sightline::base::internal {

std::atomic<KillPointState> kill_point_state = KillPointState::kUnknown;

namespace {

absl::string_view Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? absl::string_view() : absl::string_view(value);
}

[[noreturn]] void Refuse(absl::string_view variable, absl::string_view value) {
  const std::string message = absl::StrCat(variable, "=", value, " cannot be understood.\n");
  std::fputs(message.c_str(), stderr);
  std::_Exit(1);
}

uint64_t NumberOf(absl::string_view variable, absl::string_view value, uint64_t least) {
  uint64_t number = 0;
  if (!absl::SimpleAtoi(value, &number) || number < least) Refuse(variable, value);
  return number;
}

[[noreturn]] void Die() {
  ::kill(::getpid(), SIGKILL);
  while (true) ::pause();
}

// What the environment asks for. Threading: any thread.
class KillPlan {
 public:
  KillPlan() {
    if (Variable("SIGHTLINE_ALLOW_KILL_POINTS") != "1") return;
    if (const auto value = Variable("SIGHTLINE_KILL_POINT"); !value.empty()) {
      const size_t colon = value.find(':');
      point_ = std::string(value.substr(0, colon));
      passings_left_ = 1;
      if (colon != absl::string_view::npos) {
        passings_left_ = NumberOf("SIGHTLINE_KILL_POINT", value.substr(colon + 1), 1);
      }
    }
    if (const auto value = Variable("SIGHTLINE_KILL_ODDS"); !value.empty()) {
      odds_ = NumberOf("SIGHTLINE_KILL_ODDS", value, 1);
    }
    if (const auto value = Variable("SIGHTLINE_KILL_SEED"); !value.empty()) {
      random_.seed(NumberOf("SIGHTLINE_KILL_SEED", value, 0));
    }
    if (const auto value = Variable("SIGHTLINE_KILL_POINT_LIST"); !value.empty()) {
      list_ = ::open(std::string(value).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
      if (list_ < 0) Refuse("SIGHTLINE_KILL_POINT_LIST", value);
    }
  }

  bool armed() const { return !point_.empty() || odds_ > 0 || list_ >= 0; }

  void Pass(const char* name) {
    MutexLock lock(mutex_);
    if (list_ >= 0 && listed_.insert(name).second) {
      const std::string line = absl::StrCat(name, "\n");
      // One write at the end of the file: what is listed stays listed when the process dies next.
      if (::write(list_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::_Exit(1);
    }
    if (point_ == name && --passings_left_ == 0) Die();
    if (odds_ > 0 && random_() % odds_ == 0) Die();
  }

 private:
  Mutex mutex_;
  std::string point_;
  uint64_t passings_left_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t odds_ = 0;
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_);
  int list_ = -1;  // open until the process ends
  std::set<std::string> listed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

void PassKillPoint(const char* name) {
  // Never destroyed: threads may pass points while the process ends.
  static KillPlan& plan = *new KillPlan();
  kill_point_state.store(plan.armed() ? KillPointState::kArmed : KillPointState::kDisarmed, std::memory_order_relaxed);
  if (plan.armed()) plan.Pass(name);
}

}  // namespace sightline::base::internal
