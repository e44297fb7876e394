#include "server/manual.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/flags/reflection.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/options.h"
#include "server/settings.h"

namespace sightline::server {
namespace {

using ::testing::HasSubstr;

TEST(ManualTest, NamesEveryFlag) {
  const std::string help = HelpText();
  const std::string page = ManPage();
  ASSERT_GE(AllSettings().size(), 60u);
  for (const auto& [name, flag] : AllSettings()) {
    EXPECT_THAT(help, HasSubstr(absl::StrCat("\n    --", name, " (")));
    EXPECT_THAT(page, HasSubstr(absl::StrCat("\n.B \\-\\-", name, "\n")));
    EXPECT_NE(flag->Help(), "");
  }
  for (const absl::string_view line : absl::StrSplit(help, '\n')) EXPECT_LE(line.size(), 110u) << line;
}

TEST(ManualTest, HelpIsAskedForBesideOtherFlags) {
  const absl::FlagSaver restore;
  const auto asked = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "sightline-server");
    std::vector<char*> raw;
    for (std::string& argument : arguments) raw.push_back(argument.data());
    const auto options = ParseOptions(static_cast<int>(raw.size()), raw.data());
    EXPECT_TRUE(options.ok()) << options.status();
    return options.ok() ? options->help : Help::kNone;
  };
  EXPECT_EQ(asked({}), Help::kNone);
  EXPECT_EQ(asked({"--help"}), Help::kFlags);
  EXPECT_EQ(asked({"-help"}), Help::kFlags);
  EXPECT_EQ(asked({"--max_batch=4", "--help=man"}), Help::kManPage);
  EXPECT_THAT(HelpText(), HasSubstr("default: 8; now: 4;"));
}

}  // namespace
}  // namespace sightline::server
