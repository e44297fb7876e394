// LineWriter: appends lines to a file without making the one who writes them wait for the disk. Lines wait in a bounded
// queue for a thread that writes them; what does not fit is dropped and counted, and a line in the file says how much.
//
// Lines are handed to the system, not synced one by one: they survive the process, and a power loss may take the last
// seconds.
//
// Threading: all methods from any thread. Ownership: owns its thread and its file; the destructor writes what waits,
// unless the disk refuses. Failure: Open says why a file cannot be opened. A reopen that fails keeps the old file and
// is logged.
#ifndef SIGHTLINE_SERVER_SECURITY_LINE_WRITER_H_
#define SIGHTLINE_SERVER_SECURITY_LINE_WRITER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"

namespace sightline::server {

class LineWriter {
 public:
  struct Options {
    std::string path;  // "-" for standard error
    size_t max_waiting_bytes = 4 << 20;
    // Made of how many lines were lost since the last such line; what it returns is a line.
    std::function<std::string(int64_t dropped)> on_loss;
    // Told after each turn of the thread; may be empty.
    std::function<void(int64_t written, int64_t dropped)> count = nullptr;
  };

  static absl::StatusOr<std::unique_ptr<LineWriter>> Open(Options options);
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // `line` has no newline.
  void Write(absl::string_view line);
  // After the file was renamed: opens the path again. What waits goes to the new file.
  void Reopen();

 private:
  LineWriter(Options options, int fd);
  void Run();
  // False when the system took none or only a part.
  bool Append(absl::string_view bytes);
  static absl::StatusOr<int> OpenFile(const std::string& path);

  const Options options_;
  base::Mutex mutex_;
  base::CondVar changed_;
  std::string waiting_ ABSL_GUARDED_BY(mutex_);
  int64_t lines_ ABSL_GUARDED_BY(mutex_) = 0;  // in waiting_
  int64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  bool reopen_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int fd_;               // the thread's alone
  bool healthy_ = true;  // the thread's alone: the last append succeeded
  bool cut_ = false;     // the thread's alone: the file may end within a line
  std::thread thread_;   // last: it uses all of the above
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SECURITY_LINE_WRITER_H_
