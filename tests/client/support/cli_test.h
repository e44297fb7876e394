// CliTest: a verb of the program `sightline`, from words to output and exit code, against a server in this process.
//
// Threading: that of the test. Usage: TEST_F(CliTest, ...) { EXPECT_EQ(RunWords({"list", "-c", "shop"}), kOk) << err_;
// }
#ifndef SIGHTLINE_TESTS_CLIENT_SUPPORT_CLI_TEST_H_
#define SIGHTLINE_TESTS_CLIENT_SUPPORT_CLI_TEST_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "client/cli/run.h"
#include "tests/client/support/fake_server.h"
#include "tests/support/temp_folder.h"

namespace sightline::testing {

class CliTest : public ::testing::Test {
 protected:
  CliTest() { server_.AddCollection("shop"); }

  std::string Path(const std::string& name) const { return (std::filesystem::path(folder_.path()) / name).string(); }

  std::string File(const std::string& name, const std::string& content) const {
    std::ofstream(Path(name)) << content;
    return Path(name);
  }

  int RunWords(const std::vector<std::string>& words) {
    cli::StringSink out;
    const int code = RunInto(out, words);
    out_ = out.text();
    return code;
  }

  int RunInto(cli::Sink& out, const std::vector<std::string>& words) {
    cli::StringSink err;
    cli::Context context{.out = out,
                         .err = err,
                         .clock = base::Clock::Real(),
                         .default_address = server_.address(),
                         .interrupted = [this] { return interrupted_; }};
    const int code = cli::Run(context, words);
    err_ = err.text();
    return code;
  }

  const TempFolder folder_;
  FakeServer server_;
  std::string out_;
  std::string err_;
  bool interrupted_ = false;  // whether Ctrl-C was pressed
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_CLIENT_SUPPORT_CLI_TEST_H_
