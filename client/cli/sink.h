// Sink: where a verb's words go. A reader that goes away (a closed pipe) is no error: what is written after that is
// dropped, and `closed` says so, so that a long listing can stop. A disk that is full is one: `problem` says it.
//
// Threading: one thread at a time. Ownership: FdSink does not own its descriptor. Failure: in `problem`.
#ifndef SIGHTLINE_CLIENT_CLI_SINK_H_
#define SIGHTLINE_CLIENT_CLI_SINK_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sightline::cli {

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void Write(absl::string_view text) = 0;
  // Whether what is written now is lost.
  virtual bool closed() const { return false; }
  // Why something was lost, where that is an error.
  virtual absl::Status problem() const { return absl::OkStatus(); }
};

// A file descriptor, unbuffered: what is written is out. The process must ignore SIGPIPE.
class FdSink : public Sink {
 public:
  // `name`: what the descriptor is called where writing to it fails.
  FdSink(int fd, absl::string_view name) : fd_(fd), name_(name) {}
  void Write(absl::string_view text) override;
  bool closed() const override { return closed_; }
  absl::Status problem() const override { return problem_; }

 private:
  const int fd_;
  const std::string name_;
  bool closed_ = false;
  absl::Status problem_;
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
