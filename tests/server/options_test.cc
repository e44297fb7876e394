#include "server/options.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "tests/support/temp_folder.h"

namespace sightline::server {
namespace {

// Settings come from a file here: a flag that cannot be read ends the process.
absl::StatusOr<ServerOptions> ParseFile(const std::string& content) {
  const testing::TempFolder folder;
  EXPECT_TRUE(base::WriteFileDurably(folder.Path("config"), content).ok());
  std::string program = "sightline-server";
  std::string config = absl::StrCat("--config=", folder.Path("config"));
  char* argv[] = {program.data(), config.data(), nullptr};
  return ParseOptions(2, argv);
}

TEST(OptionsTest, BytesMayHaveASuffix) {
  for (const auto& [text, bytes] : std::vector<std::pair<std::string, int64_t>>{{"0", 0},
                                                                                {"1", 1},
                                                                                {"123456789", 123'456'789},
                                                                                {"5K", 5 << 10},
                                                                                {"64m", 64 << 20},
                                                                                {"12G", int64_t{12} << 30},
                                                                                {"3t", int64_t{3} << 40},
                                                                                {"1024T", int64_t{1} << 50}}) {
    const auto options = ParseFile(absl::StrCat("memory_budget = ", text, "\n"));
    ASSERT_TRUE(options.ok()) << options.status();
    EXPECT_EQ(options->limits.memory_budget_bytes, bytes) << text;
  }
}

TEST(OptionsTest, BytesThatAreNoneAreRefused) {
  for (const std::string text : {"lots", "-1", "+1", "1.5G", "G", "", "12X", "1GB", "0x10", "1025T",
                                 "9223372036854775808", "99999999999999999999G"}) {
    const auto options = ParseFile(absl::StrCat("memory_budget = ", text, "\n"));
    EXPECT_EQ(base::GetErrorInfo(options.status()).reason, "SETTING_INVALID") << text << ": " << options.status();
  }
}

TEST(OptionsTest, ThreadsHaveARange) {
  const auto good = ParseFile("memory_budget = 0\nsearch_parallelism = 7\nbuild_threads = 3\n");
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(good->limits.search_parallelism, 7);
  EXPECT_EQ(good->limits.build_threads, 3);
  for (const std::string name : {"search_parallelism", "build_threads", "search_threads"}) {
    for (const int value : {0, -1, 1025}) {
      const auto options = ParseFile(absl::StrCat(name, " = ", value, "\n"));
      EXPECT_EQ(base::GetErrorInfo(options.status()).reason, "SETTING_OUT_OF_RANGE") << name << " " << value;
    }
    ASSERT_TRUE(ParseFile(absl::StrCat(name, " = 2\n")).ok());
  }
}

}  // namespace
}  // namespace sightline::server
