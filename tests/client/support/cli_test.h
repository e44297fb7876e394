// CliTest: a verb of the program `sightline`, from words to output and exit code, against a server in this process that
// has the collection "shop". StillCliTest: the same on a clock that only the program's own waits move.
//
// Threading: that of the test. Usage: TEST_F(CliTest, ...) { EXPECT_EQ(RunWords({"list", "-c", "shop"}), kOk) << err_;
// }
#ifndef SIGHTLINE_TESTS_CLIENT_SUPPORT_CLI_TEST_H_
#define SIGHTLINE_TESTS_CLIENT_SUPPORT_CLI_TEST_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "client/cli/run.h"
#include "tests/client/support/fake_server.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace sightline::testing {

class CliTest : public ::testing::Test {
 protected:
  CliTest() { server_.AddCollection("shop"); }

  std::string Path(const std::string& name) const { return (std::filesystem::path(folder_.path()) / name).string(); }

  std::string File(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories(std::filesystem::path(Path(name)).parent_path());
    std::ofstream(Path(name), std::ios::binary) << content;
    return Path(name);
  }

  std::string Content(const std::string& name) const {
    std::stringstream content;
    content << std::ifstream(Path(name), std::ios::binary).rdbuf();
    return content.str();
  }

  int RunWords(const std::vector<std::string>& words) {
    cli::StringSink out;
    const int code = RunInto(out, words);
    out_ = out.text();
    return code;
  }

  int RunInto(cli::Sink& out, const std::vector<std::string>& words) {
    cli::StringSink err;
    cli::Context context{.out = out, .err = err, .clock = clock(), .default_address = server_.address()};
    context.interrupted = [this] { return interrupted_; };
    Prepare(&context);
    const int code = cli::Run(context, words);
    err_ = err.text();
    return code;
  }

  // As `get` shows them.
  std::string AttributesOf(const std::string& id) {
    EXPECT_EQ(RunWords({"get", id, "-c", "shop"}), cli::kOk) << err_;
    const size_t at = out_.find("attributes   ");
    return at == std::string::npos ? "" : out_.substr(at + 13, out_.find('\n', at) - at - 13);
  }

  virtual const base::Clock& clock() const { return base::Clock::Real(); }
  // What is special about the program's surroundings.
  virtual void Prepare(cli::Context* /*context*/) {}

  const TempFolder folder_;
  FakeServer server_;
  std::string out_;
  std::string err_;
  bool interrupted_ = false;  // whether Ctrl-C was pressed
};

class StillCliTest : public CliTest {
 protected:
  const base::Clock& clock() const override { return clock_; }
  void Prepare(cli::Context* context) override {
    context->sleep = [this](absl::Duration wait) {
      clock_.Advance(wait);
      slept_ += wait;
    };
  }

  FakeClock clock_;
  absl::Duration slept_;
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_CLIENT_SUPPORT_CLI_TEST_H_
