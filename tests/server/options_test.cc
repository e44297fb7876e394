#include "server/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/flags/reflection.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "tests/support/temp_folder.h"

namespace sightline::server {
namespace {

using ::testing::Contains;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

TEST(OptionsTest, BytesMayHaveASuffix) {
  absl::CommandLineFlag* flag = absl::FindCommandLineFlag("memory_budget");
  ASSERT_NE(flag, nullptr);
  EXPECT_EQ(flag->DefaultValue(), "0");
  std::string error;
  for (const auto& [text, bytes] : std::vector<std::pair<std::string, int64_t>>{{"0", 0},
                                                                                {"1", 1},
                                                                                {"123456789", 123'456'789},
                                                                                {"5K", 5 << 10},
                                                                                {"64m", 64 << 20},
                                                                                {"12G", int64_t{12} << 30},
                                                                                {"3t", int64_t{3} << 40},
                                                                                {"1024T", int64_t{1} << 50}}) {
    ASSERT_TRUE(flag->ParseFrom(text, &error)) << error;
    EXPECT_EQ(flag->CurrentValue(), absl::StrCat(bytes)) << text;
  }
  for (const std::string text : {"lots", "-1", "+1", "1.5G", "G", "", "12X", "1GB", "0x10", "1025T",
                                 "9223372036854775808", "99999999999999999999G"}) {
    EXPECT_FALSE(flag->ParseFrom(text, &error)) << text;
  }
}

TEST(OptionsTest, TheIndexDeviceIsTheCpuACardOrWhateverThereIs) {
  absl::CommandLineFlag* flag = absl::FindCommandLineFlag("index_device");
  ASSERT_NE(flag, nullptr);
  EXPECT_EQ(flag->DefaultValue(), "cpu") << "nobody is to lose half of a card by an upgrade";
  std::string error;
  for (const auto& [text, meant] : std::vector<std::pair<std::string, std::string>>{
           {"auto", "auto"}, {"cuda:0", "cuda:0"}, {"cuda:12", "cuda:12"}, {"none", "cpu"}, {"cpu", "cpu"}}) {
    ASSERT_TRUE(flag->ParseFrom(text, &error)) << error;
    EXPECT_EQ(flag->CurrentValue(), meant);
  }
  for (const std::string text : {"", "gpu", "Auto", "cuda", "cuda:", "cuda:x", "cuda:-1", "cuda:+1", "cuda:1024",
                                 "cuda:0,cuda:1", "cuda: 1", "cuda:99999999999", "0"}) {
    EXPECT_FALSE(flag->ParseFrom(text, &error)) << text;
  }
  EXPECT_EQ(absl::FindCommandLineFlag("index_device_memory")->DefaultValue(), "0");
  EXPECT_EQ(absl::FindCommandLineFlag("rerank_device_memory")->DefaultValue(), "1073741824");
}

TEST(LimitsTest, TheTimeOfARequestIsItsCallersUpToTheLongest) {
  Limits limits;
  limits.default_deadline = absl::Seconds(60);
  limits.max_deadline = absl::Hours(1);
  EXPECT_EQ(limits.TimeFor(absl::InfiniteDuration()), absl::Seconds(60));
  EXPECT_EQ(limits.TimeFor(absl::Milliseconds(5)), absl::Milliseconds(5));
  EXPECT_EQ(limits.TimeFor(absl::Minutes(59)), absl::Minutes(59));
  EXPECT_EQ(limits.TimeFor(absl::Hours(2)), absl::Hours(1)) << "not less than one who asks for an hour gets";
  EXPECT_EQ(limits.TimeFor(-absl::Seconds(1)), -absl::Seconds(1)) << "too late already";
}

// Options are parsed once in a process.
TEST(OptionsTest, TheFileSetsBudgetAndThreads) {
  const testing::TempFolder folder;
  ASSERT_TRUE(base::WriteFileDurably(folder.Path("config"),
                                     "memory_budget = 2G  # of all collections\nsearch_parallelism = 7\n"
                                     "build_threads = 3\nmax_queue_delay = 100ms\nstream_idle = 1m\n")
                  .ok());
  std::string program = "sightline-server";
  std::string config = absl::StrCat("--config=", folder.Path("config"));
  char* argv[] = {program.data(), config.data(), nullptr};
  const auto options = ParseOptions(2, argv);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->limits.memory_budget_bytes, int64_t{2} << 30);
  EXPECT_EQ(options->limits.search_parallelism, 7);
  EXPECT_EQ(options->limits.build_threads, 3);
  // What /statusz shows.
  EXPECT_THAT(options->changed, Contains(Pair("build_threads", "3")));
  EXPECT_THAT(options->changed, Contains(Pair("search_parallelism", "7")));
  EXPECT_THAT(options->changed, Not(Contains(Key("drain_grace"))));
  EXPECT_EQ(options->limits.grpc_memory_bytes, int64_t{512} << 20) << "a quarter of the budget";
  EXPECT_EQ(options->limits.max_queue_delay, absl::Milliseconds(100));
  EXPECT_EQ(options->stream_idle, absl::Minutes(1));
  EXPECT_EQ(options->connections.age, absl::Minutes(30));
}

}  // namespace
}  // namespace sightline::server
