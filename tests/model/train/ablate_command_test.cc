// `sightline-train ablate`: what it lists and what it refuses. Studies themselves are in study/study_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/train/command.h"

namespace sightline::train {
namespace {

using ::testing::HasSubstr;

class AblateCommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) / ("ablate_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    std::ofstream(Path("study.json"))
        << R"({"title": "Two", "columns": ["size"], "architecture": "dtop_tiny", "measure": {"images": "nowhere"},
               "base": {"data": {"root": "photos"}, "loss": {"kind": "arcface"}, "steps": 3},
               "rows": [{"name": "large"}, {"name": "small", "columns": {"size": "16"}, "model": {"head": {"dim": 16}}}]})";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  std::string Reason(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--zoo", SIGHTLINE_ZOO});
    return base::GetErrorInfo(AblateCommand().run(arguments)).reason;
  }

  std::filesystem::path folder_;
};

TEST_F(AblateCommandTest, ListsTheRows) {
  ::testing::internal::CaptureStdout();
  const absl::Status status =
      AblateCommand().run({Path("study.json"), "--list", "--zoo", SIGHTLINE_ZOO, "--out", Path("runs")});
  const std::string printed = ::testing::internal::GetCapturedStdout();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(printed, HasSubstr("Two\n 1  large"));
  EXPECT_THAT(printed, HasSubstr(" 2  small"));
  EXPECT_THAT(printed, HasSubstr("not run   size 16\n"));
  EXPECT_FALSE(std::filesystem::exists(Path("runs")));
}

TEST_F(AblateCommandTest, RefusesWhatItCannotDo) {
  const std::string study = Path("study.json");
  EXPECT_EQ(Reason({}), "ARGUMENT_MISSING");
  EXPECT_EQ(Reason({study, study}), "ARGUMENT_MISSING");
  EXPECT_EQ(Reason({study}), "SETTING_MISSING");
  for (const std::string rows : {"0", "3", "1,", "", "-1", "1;2", "99999999999999999999"}) {
    EXPECT_EQ(Reason({study, "--list", "--rows=" + rows}), "SETTING_OUT_OF_RANGE") << rows;
  }
  EXPECT_EQ(Reason({study, "--list", "--rows", "2,1,2"}), "UNKNOWN");
  EXPECT_EQ(Reason({study, "--list", "--steps", "0"}), "INVALID_CONFIG");
  EXPECT_EQ(Reason({study, "--list", "--device", "abacus"}), "SETTING_INVALID");
  EXPECT_EQ(Reason({study, "--list", "--threads", "-1"}), "SETTING_OUT_OF_RANGE");
  EXPECT_NE(Reason({Path("no_study.json"), "--list"}), "UNKNOWN");
  EXPECT_NE(Reason({study, "--out", Path("runs")}), "UNKNOWN");
  EXPECT_FALSE(std::filesystem::exists(Path("runs"))) << "the held-out set is missing, nothing was begun";
}

}  // namespace
}  // namespace sightline::train
