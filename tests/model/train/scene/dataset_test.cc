#include "model/train/scene/dataset.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <utility>

#include "base/file.h"
#include "base/status.h"
#include "model/image/decode.h"
#include "model/train/scene/labels.h"
#include "tests/support/temp_folder.h"

namespace sightline::scene {
namespace {

// Every file of a folder with its content.
std::map<std::string, std::string> Contents(const std::string& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    out[std::filesystem::relative(entry.path(), folder).string()] = *base::ReadFile(entry.path().string(), 1 << 20);
  }
  return out;
}

SceneSettings Small(const std::string& directory, uint64_t seed = 1) {
  return {.directory = directory, .instances = 5, .views = 3, .side = 48, .seed = seed};
}

TEST(GenerateScenesTest, WritesViewsAndLabels) {
  const ::sightline::testing::TempFolder folder;
  ASSERT_EQ(*GenerateScenes(Small(folder.Path("s"))), SceneOutcome::kWritten);
  const absl::StatusOr<std::vector<Label>> labels = ReadLabels(folder.Path("s"));
  ASSERT_TRUE(labels.ok()) << labels.status();
  ASSERT_EQ(labels->size(), 15u);
  EXPECT_EQ(labels->front().path, "index/instance_000_view_0.jpg");
  EXPECT_EQ(labels->back().path, "query/instance_004_view_2.jpg");
  for (const Label& label : *labels) {
    EXPECT_EQ(label.split, label.view == 2 ? Split::kQuery : Split::kIndex);
    const absl::StatusOr<std::string> bytes = base::ReadFile(folder.Path("s/" + label.path), 1 << 20);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const absl::StatusOr<image::Image> image = image::Decode(*bytes, {}, {});
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_EQ(image->width, 48);
    EXPECT_EQ(image->height, 48);
  }
  EXPECT_EQ(Contents(folder.Path("s")).size(), 17u);
}

TEST(GenerateScenesTest, TheSeedDecidesEveryByte) {
  const ::sightline::testing::TempFolder folder;
  ASSERT_TRUE(GenerateScenes(Small(folder.Path("a"))).ok());
  ASSERT_TRUE(GenerateScenes(Small(folder.Path("b"))).ok());
  ASSERT_TRUE(GenerateScenes(Small(folder.Path("c"), 2)).ok());
  const std::map<std::string, std::string> a = Contents(folder.Path("a"));
  EXPECT_EQ(a, Contents(folder.Path("b")));
  for (const auto& [name, content] : Contents(folder.Path("c"))) {
    EXPECT_EQ(a.at(name) == content, name == "labels.csv") << name;
  }
}

TEST(GenerateScenesTest, ViewsDiffer) {
  const ::sightline::testing::TempFolder folder;
  ASSERT_TRUE(GenerateScenes(Small(folder.Path("s"))).ok());
  const std::map<std::string, std::string> contents = Contents(folder.Path("s"));
  std::map<std::string, int> copies;
  for (const auto& [name, content] : contents) ++copies[content];
  EXPECT_EQ(copies.size(), contents.size());
}

TEST(GenerateScenesTest, ACompleteRunIsLeftAlone) {
  const ::sightline::testing::TempFolder folder;
  ASSERT_TRUE(GenerateScenes(Small(folder.Path("s"))).ok());
  const auto written = std::filesystem::last_write_time(folder.Path("s/index/instance_000_view_0.jpg"));
  EXPECT_EQ(*GenerateScenes(Small(folder.Path("s"))), SceneOutcome::kAlreadyThere);
  EXPECT_EQ(std::filesystem::last_write_time(folder.Path("s/index/instance_000_view_0.jpg")), written);
}

TEST(GenerateScenesTest, FoldersThatHoldSomethingElseAreRefused) {
  const ::sightline::testing::TempFolder folder;
  ASSERT_TRUE(GenerateScenes(Small(folder.Path("s"))).ok());
  const absl::Status other = GenerateScenes(Small(folder.Path("s"), 9)).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition) << other;
  EXPECT_EQ(base::GetErrorInfo(other).reason, "FOLDER_IN_USE");
  // A run that was interrupted before its last file.
  std::filesystem::remove(folder.Path("s/scenes.json"));
  EXPECT_EQ(base::GetErrorInfo(GenerateScenes(Small(folder.Path("s"))).status()).reason, "FOLDER_IN_USE");
  std::filesystem::create_directory(folder.Path("empty"));
  EXPECT_EQ(*GenerateScenes(Small(folder.Path("empty"))), SceneOutcome::kWritten);
}

// Without the setting, files are what they were before it existed.
TEST(GenerateScenesTest, WithoutOccludersNothingChanges) {
  const ::sightline::testing::TempFolder folder;
  ASSERT_TRUE(GenerateScenes(Small(folder.Path("s"))).ok());
  const std::map<std::string, std::string> contents = Contents(folder.Path("s"));
  EXPECT_EQ(contents.at("scenes.json"),
            "{\"generator\": \"sightline-train scenes\", \"version\": 1, \"instances\": 5, \"views\": 3, \"size\": 48, "
            "\"seed\": 1}\n");
  EXPECT_TRUE(
      contents.at("labels.csv").starts_with("path,instance,view,split\nindex/instance_000_view_0.jpg,0,0,index\n"));
  // The mean colours of two pictures of version 0.1; between machines they may differ by rounding.
  const std::pair<std::string, std::array<double, 3>> known[] = {
      {"index/instance_003_view_1.jpg", {138.58, 54.68, 95.24}},
      {"query/instance_001_view_2.jpg", {73.85, 138.51, 77.03}}};
  for (const auto& [name, mean] : known) {
    const absl::StatusOr<image::Image> image = image::Decode(contents.at(name), {}, {});
    ASSERT_TRUE(image.ok()) << image.status();
    for (size_t c = 0; c < 3; ++c) {
      double sum = 0;
      for (size_t i = c; i < image->rgb.size(); i += 3) sum += image->rgb[i];
      EXPECT_NEAR(sum / (48 * 48), mean[c], 0.5) << name << " colour " << c;
    }
  }
}

TEST(GenerateScenesTest, OccludersChangeQueriesAlone) {
  const ::sightline::testing::TempFolder folder;
  ASSERT_TRUE(GenerateScenes(Small(folder.Path("plain"))).ok());
  SceneSettings settings = Small(folder.Path("hidden"));
  settings.occluders = 0.6;
  ASSERT_EQ(*GenerateScenes(settings), SceneOutcome::kWritten);
  EXPECT_EQ(*GenerateScenes(settings), SceneOutcome::kAlreadyThere);
  const std::map<std::string, std::string> plain = Contents(folder.Path("plain"));
  const std::map<std::string, std::string> hidden = Contents(folder.Path("hidden"));
  ASSERT_EQ(plain.size(), hidden.size());
  for (const auto& [name, content] : hidden) EXPECT_EQ(plain.at(name) == content, name.starts_with("index/")) << name;

  settings.directory = folder.Path("again");
  ASSERT_TRUE(GenerateScenes(settings).ok());
  EXPECT_EQ(Contents(settings.directory), hidden);

  const absl::StatusOr<std::vector<Label>> labels = ReadLabels(folder.Path("hidden"));
  ASSERT_TRUE(labels.ok()) << labels.status();
  for (const Label& label : *labels) {
    ASSERT_TRUE(label.hidden.has_value()) << label.path;
    if (label.split == Split::kQuery) {
      EXPECT_NEAR(*label.hidden, 0.6, 0.03) << label.path;
    } else {
      EXPECT_LT(*label.hidden, 0.4) << label.path;
    }
  }

  settings = Small(folder.Path("hidden"));
  settings.occluders = 0.3;
  EXPECT_EQ(base::GetErrorInfo(GenerateScenes(settings).status()).reason, "FOLDER_IN_USE");
}

TEST(GenerateScenesTest, SettingsHaveRanges) {
  const ::sightline::testing::TempFolder folder;
  const std::string path = folder.Path("s");
  const SceneSettings wrong[] = {{.directory = path, .instances = 0},     {.directory = path, .instances = 10'001},
                                 {.directory = path, .views = 1},         {.directory = path, .views = 101},
                                 {.directory = path, .side = 31},         {.directory = path, .side = 2049},
                                 {.directory = path, .occluders = -0.01}, {.directory = path, .occluders = 0.91},
                                 {.directory = path, .occluders = NAN},   {.directory = path, .occluders = INFINITY}};
  for (const SceneSettings& settings : wrong) {
    EXPECT_EQ(base::GetErrorInfo(GenerateScenes(settings).status()).reason, "SETTING_OUT_OF_RANGE");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace sightline::scene
