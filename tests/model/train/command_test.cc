#include "model/train/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::train {
namespace {

using ::testing::HasSubstr;

std::string ReasonOf(const Command& command, const std::vector<std::string>& arguments) {
  return base::GetErrorInfo(command.run(arguments)).reason;
}

TEST(LandmarksCommandTest, RefusesWhatItCannotDo) {
  const Command landmarks = LandmarksCommand();
  EXPECT_EQ(ReasonOf(landmarks, {}), "SETTING_MISSING");
  EXPECT_EQ(ReasonOf(landmarks, {"somewhere"}), "ARGUMENT_UNEXPECTED");
  EXPECT_EQ(ReasonOf(landmarks, {"--out", "x", "--instances", "0"}), "SETTING_OUT_OF_RANGE");
  EXPECT_EQ(ReasonOf(landmarks, {"--out", "x", "--views", "2"}), "SETTING_OUT_OF_RANGE");
  EXPECT_EQ(ReasonOf(landmarks, {"--out", "x", "--size", "99999999999"}), "SETTING_OUT_OF_RANGE");
  EXPECT_EQ(ReasonOf(landmarks, {"--out", "x", "--junk", "nan"}), "SETTING_OUT_OF_RANGE");
  EXPECT_EQ(ReasonOf(landmarks, {"--out", "x", "--threads", "-1"}), "SETTING_OUT_OF_RANGE");
}

TEST(ScenesCommandTest, RefusesWhatItCannotDo) {
  const Command scenes = ScenesCommand();
  EXPECT_EQ(ReasonOf(scenes, {}), "SETTING_MISSING");
  EXPECT_EQ(ReasonOf(scenes, {"somewhere"}), "ARGUMENT_UNEXPECTED");
  EXPECT_EQ(ReasonOf(scenes, {"--out", "x", "--instances", "0"}), "SETTING_OUT_OF_RANGE");
  EXPECT_EQ(ReasonOf(scenes, {"--out", "x", "--views", "1"}), "SETTING_OUT_OF_RANGE");
  EXPECT_EQ(ReasonOf(scenes, {"--out", "x", "--size", "31"}), "SETTING_OUT_OF_RANGE");
  EXPECT_EQ(ReasonOf(scenes, {"--out", "x", "--size", "99999999999"}), "SETTING_OUT_OF_RANGE");
  EXPECT_EQ(ReasonOf(scenes, {"--out", "x", "--occluders", "0.95"}), "SETTING_OUT_OF_RANGE");
  EXPECT_EQ(ReasonOf(scenes, {"--out", "x", "--occluders", "nan"}), "SETTING_OUT_OF_RANGE");
  EXPECT_EQ(ReasonOf(scenes, {"--out", "x", "--occluders", "half"}), "FLAG_INVALID");
  EXPECT_EQ(ReasonOf(scenes, {"--colour", "red"}), "FLAG_UNKNOWN");
}

TEST(PixelBaselineCommandTest, NeedsOneFolder) {
  EXPECT_EQ(ReasonOf(PixelBaselineCommand(), {}), "ARGUMENT_MISSING");
  EXPECT_EQ(ReasonOf(PixelBaselineCommand(), {"a", "b"}), "ARGUMENT_MISSING");
  EXPECT_FALSE(PixelBaselineCommand().run({"/does/not/exist"}).ok());
}

TEST(CommandsTest, WorkTogether) {
  const std::string folder =
      (std::filesystem::temp_directory_path() / absl::StrCat("sightline-train-", std::random_device()())).string();
  const std::vector<std::string> arguments = {"--out", folder, "--instances=2", "--views=2", "--size=32"};
  ASSERT_TRUE(ScenesCommand().run(arguments).ok());
  ::testing::internal::CaptureStdout();
  ASSERT_TRUE(ScenesCommand().run(arguments).ok());
  ASSERT_TRUE(PixelBaselineCommand().run({folder}).ok());
  ASSERT_TRUE(PixelBaselineCommand().run({folder, "--json"}).ok());
  const std::string printed = ::testing::internal::GetCapturedStdout();
  EXPECT_THAT(printed, HasSubstr("already holds these 4 pictures; nothing to do"));
  EXPECT_THAT(printed, HasSubstr("held-out views whose own instance ranks first, 16x16 pixels: "));
  EXPECT_THAT(printed, HasSubstr("\"queries\": 2"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace sightline::train
