// Sink: where a verb's words go. A reader that goes away (a closed pipe) is no error: what is written after that is
// dropped, and `closed` says so, so that a long listing can stop.
//
// Threading: one thread at a time. Ownership: FdSink does not own its descriptor.
#ifndef SIGHTLINE_CLIENT_CLI_SINK_H_
#define SIGHTLINE_CLIENT_CLI_SINK_H_

#include <string>

#include "absl/strings/string_view.h"

namespace sightline::cli {

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void Write(absl::string_view text) = 0;
  virtual bool closed() const { return false; }
};

// A file descriptor, unbuffered: what is written is out. The process must ignore SIGPIPE.
class FdSink : public Sink {
 public:
  explicit FdSink(int fd) : fd_(fd) {}
  void Write(absl::string_view text) override;
  bool closed() const override { return closed_; }

 private:
  const int fd_;
  bool closed_ = false;
};

// Keeps what is written.
class StringSink : public Sink {
 public:
  void Write(absl::string_view text) override { text_.append(text.data(), text.size()); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_SINK_H_
