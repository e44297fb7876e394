// Progress: how far a long work is. On a terminal one line that is redrawn at most ten times a second; elsewhere a
// plain line every few seconds, so that a log stays readable.
//
// Threading: one thread at a time. Failure: none.
//
//   Progress progress({.out = err, .clock = clock, .terminal = true, .columns = 80, .total = 480});
//   progress.Update({.done = 17, .failed = 1});
//   progress.Finish();
#ifndef SIGHTLINE_CLIENT_CLI_PROGRESS_H_
#define SIGHTLINE_CLIENT_CLI_PROGRESS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "client/cli/sink.h"

namespace sightline::cli {

struct Count {
  int64_t done = 0;  // skipped and failed ones included
  int64_t skipped = 0;
  int64_t failed = 0;
};

class Progress {
 public:
  struct Options {
    Sink& out;
    const base::Clock& clock;
    bool terminal = false;
    int columns = 80;
    int64_t total = 0;
  };

  explicit Progress(Options options);

  void Update(const Count& count);
  // Draws the last state and, on a terminal, ends its line.
  void Finish();

 private:
  std::string Line() const;
  double SecondsSince(base::Clock::Ticks then) const;

  const Options options_;
  const base::Clock::Ticks start_;
  base::Clock::Ticks drawn_at_;
  bool drawn_ = false;
  Count count_;
};

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_PROGRESS_H_
