#include "model/train/run/progress.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "absl/strings/str_format.h"

namespace sightline::train {

std::string Duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::fmax(0, seconds)));
  constexpr int64_t kMinute = 60, kHour = 3600;
  if (whole >= kHour) return absl::StrFormat("%d h %02d min", whole / kHour, whole % kHour / kMinute);
  if (whole >= kMinute) return absl::StrFormat("%d min %02d s", whole / kMinute, whole % kMinute);
  return absl::StrFormat("%d s", whole);
}

Progress::Progress(int64_t steps) : steps_(steps), terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (open_) std::fputc('\n', stderr);
}

void Progress::Step(int64_t done, double loss, int64_t images, double seconds) {
  // Of the last ten steps or so: a rate that follows what the machine does now, and does not jump.
  constexpr double kNew = 0.1;
  const double share = seconds_per_step_ == 0 ? 1 : kNew;
  seconds_per_step_ += share * (seconds - seconds_per_step_);
  if (seconds > 0) rate_ += share * (static_cast<double>(images) / seconds - rate_);
  const auto now = Clock::now();
  const std::chrono::duration<double> since = now - shown_;
  const double pause = terminal_ ? 0.2 : 15;
  if (since.count() < pause && done < steps_) return;
  shown_ = now;
  const std::string line = absl::StrFormat("step %d of %d, loss %.4f, %.1f images/s, %s left", done, steps_, loss,
                                           rate_, Duration(seconds_per_step_ * static_cast<double>(steps_ - done)));
  if (terminal_) {
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
    open_ = true;
  } else {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
  std::fflush(stderr);
}

void Progress::Say(const std::string& text) {
  if (open_) std::fputs("\r\033[K", stderr);
  open_ = false;
  std::fprintf(stderr, "%s\n", text.c_str());
}

}  // namespace sightline::train
