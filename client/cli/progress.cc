#include "client/cli/progress.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr double kLineSeconds = 5;
constexpr int kBarWidth = 24;

}  // namespace

Progress::Progress(Options options)
    : options_(options), start_(options_.clock.Steady()), drawn_at_(options_.clock.Steady()) {}

double Progress::SecondsSince(base::Clock::Ticks then) const {
  return base::MillisecondsBetween(then, options_.clock.Steady()) / 1000;
}

// Skipped images cost next to nothing; rate and time left speak of the others.
std::string Progress::Line() const {
  const double seconds = SecondsSince(start_);
  const auto sent = static_cast<double>(count_.done - count_.skipped);
  const double rate = seconds > 0 ? sent / seconds : 0;
  const int64_t left = std::max<int64_t>(0, options_.total - count_.done);
  std::string line = absl::StrFormat("%s/%s", FormatCount(count_.done), FormatCount(options_.total));
  if (options_.total > 0) absl::StrAppendFormat(&line, "  %d%%", count_.done * 100 / options_.total);
  absl::StrAppendFormat(&line, "  %.1f images/s", rate);
  if (left > 0 && rate > 0) {
    absl::StrAppend(&line, "  ETA ", FormatSpan(absl::Seconds(static_cast<double>(left) / rate)));
  }
  if (left == 0) absl::StrAppend(&line, "  in ", FormatSpan(absl::Seconds(seconds)));
  if (count_.skipped > 0) absl::StrAppend(&line, "  skipped ", FormatCount(count_.skipped));
  absl::StrAppend(&line, "  failed ", FormatCount(count_.failed));
  if (!options_.terminal) return line;
  const std::string text = line.substr(0, static_cast<size_t>(std::max(options_.columns - 1, 0)));
  if (static_cast<int>(text.size()) + kBarWidth + 4 > options_.columns || options_.total <= 0) return text;
  const auto full = static_cast<size_t>(std::min(count_.done, options_.total) * kBarWidth / options_.total);
  return absl::StrCat("[", std::string(full, '#'), std::string(kBarWidth - full, '.'), "] ", text);
}

void Progress::Update(const Count& count) {
  count_ = count;
  if (options_.terminal) {
    if (drawn_ && SecondsSince(drawn_at_) < kRedrawSeconds) return;
    // Erase to the end of the line after drawing: erasing first would flicker.
    options_.out.Write(absl::StrCat("\r", Line(), "\x1b[K"));
  } else {
    if (SecondsSince(drawn_at_) < kLineSeconds) return;
    options_.out.Write(absl::StrCat(Line(), "\n"));
  }
  drawn_ = true;
  drawn_at_ = options_.clock.Steady();
}

void Progress::Finish() {
  if (options_.terminal) options_.out.Write(absl::StrCat("\r", Line(), "\x1b[K\n"));
}

}  // namespace sightline::cli
