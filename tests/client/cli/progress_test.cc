#include "client/cli/progress.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include <csignal>
#include <string>

namespace sightline::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ManualClock : public base::Clock {
 public:
  absl::Time Now() const override { return absl::UnixEpoch(); }
  Ticks Steady() const override { return now_; }
  void Advance(std::chrono::milliseconds by) { now_ += by; }

 private:
  Ticks now_;
};

using std::chrono::milliseconds;

TEST(ProgressTest, APipeGetsALineEveryFewSeconds) {
  ManualClock clock;
  StringSink out;
  Progress progress({.out = out, .clock = clock, .terminal = false, .total = 100});
  for (int i = 1; i <= 60; ++i) {
    clock.Advance(milliseconds(200));
    progress.Update({.done = i, .skipped = 0, .failed = i / 30});
  }
  progress.Finish();
  EXPECT_EQ(out.text(),
            "25/100  25%  5.0 images/s  ETA 15 s  failed 0\n"
            "50/100  50%  5.0 images/s  ETA 10 s  failed 1\n");
}

TEST(ProgressTest, SkippedImagesDoNotCountForTheRate) {
  ManualClock clock;
  StringSink out;
  Progress progress({.out = out, .clock = clock, .terminal = false, .total = 1000});
  clock.Advance(milliseconds(10'000));
  progress.Update({.done = 900, .skipped = 890, .failed = 0});
  EXPECT_EQ(out.text(), "900/1,000  90%  1.0 images/s  ETA 1 min 40 s  skipped 890  failed 0\n");
}

// What a terminal receives: everything written to the other side of a pseudo-terminal.
class Terminal {
 public:
  Terminal() {
    EXPECT_EQ(::openpty(&reader_, &writer_, nullptr, nullptr, nullptr), 0);
    ::fcntl(reader_, F_SETFL, O_NONBLOCK);
  }
  ~Terminal() {
    ::close(reader_);
    ::close(writer_);
  }
  int writer() const { return writer_; }
  std::string Received() {
    std::string text;
    char buffer[4096];
    for (ssize_t got; (got = ::read(reader_, buffer, sizeof buffer)) > 0;)
      text.append(buffer, static_cast<size_t>(got));
    return text;
  }

 private:
  int reader_ = -1;
  int writer_ = -1;
};

TEST(ProgressTest, ATerminalGetsOneLineRedrawn) {
  Terminal terminal;
  ASSERT_EQ(::isatty(terminal.writer()), 1);
  FdSink out(terminal.writer(), "terminal");
  ManualClock clock;
  Progress progress({.out = out, .clock = clock, .terminal = true, .columns = 100, .total = 100});
  for (int i = 1; i <= 100; ++i) {
    clock.Advance(milliseconds(10));
    progress.Update({.done = i, .skipped = 0, .failed = 2});
  }
  const std::string before = terminal.Received();
  // Ten times a second: one drawing at the start and one at each tenth of the one second.
  EXPECT_EQ(std::count(before.begin(), before.end(), '\r'), 10);
  EXPECT_THAT(before, HasSubstr("[############............] 51/100  51%  100.0 images/s  ETA 0 s  failed 2\x1b[K"));
  EXPECT_THAT(before, Not(HasSubstr("\n")));
  progress.Finish();
  EXPECT_EQ(terminal.Received(),
            "\r[########################] 100/100  100%  100.0 images/s  in 1 s  failed 2\x1b[K\r\n");
}

TEST(ProgressTest, ANarrowTerminalIsNotOverrun) {
  for (const int columns : {0, 1, 10, 40, 79}) {
    ManualClock clock;
    StringSink out;
    Progress progress({.out = out, .clock = clock, .terminal = true, .columns = columns, .total = 1'000'000});
    clock.Advance(milliseconds(1000));
    progress.Update({.done = 123'456, .skipped = 1000, .failed = 17});
    // Without the carriage return and the three bytes that erase the rest.
    EXPECT_LE(static_cast<int>(out.text().size()) - 4, std::max(columns, 0)) << out.text();
  }
}

TEST(SinkTest, AClosedPipeIsNoError) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  std::signal(SIGPIPE, SIG_IGN);
  FdSink sink(ends[1], "pipe");
  sink.Write("read");
  EXPECT_FALSE(sink.closed());
  ::close(ends[0]);
  sink.Write("not read");
  EXPECT_TRUE(sink.closed());
  EXPECT_TRUE(sink.problem().ok());
  sink.Write("dropped");
  ::close(ends[1]);
}

}  // namespace
}  // namespace sightline::cli
