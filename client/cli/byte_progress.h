// ByteProgress: how far a copy is, in bytes. On a terminal one line that is redrawn at most ten times a
// second; elsewhere a plain line every few seconds.
//
// Threading: one thread at a time. Failure: none.
//
//   ByteProgress progress(context, "downloading");
//   progress.Update(done, total);
#ifndef SIGHTLINE_CLIENT_CLI_BYTE_PROGRESS_H_
#define SIGHTLINE_CLIENT_CLI_BYTE_PROGRESS_H_

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "client/cli/command.h"

namespace sightline::cli {

class ByteProgress {
 public:
  ByteProgress(Context& context, std::string what);
  // Ends the line on a terminal.
  ~ByteProgress();
  ByteProgress(const ByteProgress&) = delete;
  ByteProgress& operator=(const ByteProgress&) = delete;

  // A total of 0 is not known yet.
  void Update(int64_t done, int64_t total);

 private:
  Context& context_;
  const std::string what_;
  base::Clock::Ticks drawn_at_;
  bool drawn_ = false;
};

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_BYTE_PROGRESS_H_
