#include "model/train/scene/landmark/landmarks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status.h"
#include "model/image/decode.h"
#include "model/train/scene/landmark/plan.h"
#include "tests/support/temp_folder.h"

namespace sightline::scene::landmark {
namespace {

using ::sightline::testing::TempFolder;

std::map<std::string, std::string> Files(const std::string& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    out[std::filesystem::relative(entry.path(), folder).string()] = *base::ReadFile(entry.path().string(), 1 << 20);
  }
  return out;
}

LandmarkSettings Few(const std::string& directory, uint64_t seed = 1) {
  return {.directory = directory, .instances = 3, .views = 5, .side = 64, .seed = seed, .distractors = 3};
}

// Grey values of a part of a picture, stretched to 12 x 12, with mean 0 and length 1.
std::vector<double> Thumbnail(const std::string& jpeg, const PixelBox& box) {
  constexpr int kSide = 12;
  const absl::StatusOr<image::Image> image = image::Decode(jpeg, {}, {});
  if (!image.ok()) return {};
  std::vector<double> sums(kSide * kSide);
  std::vector<double> counts(kSide * kSide);
  for (int y = box.y0; y < box.y1; ++y) {
    for (int x = box.x0; x < box.x1; ++x) {
      const int cell = (y - box.y0) * kSide / (box.y1 - box.y0) * kSide + (x - box.x0) * kSide / (box.x1 - box.x0);
      const size_t at = (static_cast<size_t>(y) * image->width + x) * 3;
      sums[cell] += image->rgb[at] + image->rgb[at + 1] + image->rgb[at + 2];
      counts[cell] += 1;
    }
  }
  double mean = 0;
  for (size_t i = 0; i < sums.size(); ++i) {
    if (counts[i] > 0) sums[i] /= counts[i];
    mean += sums[i] / static_cast<double>(sums.size());
  }
  double square = 1e-9;
  for (double& value : sums) {
    value -= mean;
    square += value * value;
  }
  for (double& value : sums) value /= std::sqrt(square);
  return sums;
}

double Correlation(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) sum += a[i] * b[i];
  return sum;
}

struct Row {
  std::string path;
  int64_t instance = 0;
  int64_t family = 0;
  std::string split;
  std::string difficulty;
  PixelBox box;
};

std::vector<Row> ReadRows(const std::string& content) {
  std::vector<Row> rows;
  for (absl::string_view line : absl::StrSplit(content, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> fields = absl::StrSplit(line, ',');
    if (fields.size() != 10 || fields[0] == "path") continue;
    Row row{fields[0], 0, 0, fields[4], fields[5], {}};
    EXPECT_TRUE(absl::SimpleAtoi(fields[1], &row.instance) && absl::SimpleAtoi(fields[2], &row.family) &&
                absl::SimpleAtoi(fields[6], &row.box.x0) && absl::SimpleAtoi(fields[7], &row.box.y0) &&
                absl::SimpleAtoi(fields[8], &row.box.x1) && absl::SimpleAtoi(fields[9], &row.box.y1))
        << line;
    rows.push_back(row);
  }
  return rows;
}

TEST(MakeLandmarksTest, ThreadsDoNotChangeAByteAndTheSeedDoes) {
  const TempFolder folder;
  LandmarkSettings settings = Few(folder.Path("one"));
  settings.threads = 1;
  ASSERT_TRUE(MakeLandmarks(settings).ok());
  settings.directory = folder.Path("three");
  settings.threads = 3;
  ASSERT_TRUE(MakeLandmarks(settings).ok());
  ASSERT_TRUE(MakeLandmarks(Few(folder.Path("other"), 2)).ok());
  const std::map<std::string, std::string> one = Files(folder.Path("one"));
  EXPECT_EQ(one.size(), 3u * 5 + 3 + 3);
  EXPECT_EQ(one, Files(folder.Path("three")));
  const std::map<std::string, std::string> other = Files(folder.Path("other"));
  for (const auto& [name, content] : one) {
    if (name.ends_with(".jpg") && other.contains(name)) {
      EXPECT_NE(content, other.at(name)) << name;
    }
  }
}

TEST(MakeLandmarksTest, LabelsAndGroundTruthSayWhatIsThere) {
  const TempFolder folder;
  LandmarkSettings settings = Few(folder.Path("s"));
  settings.views = 10;
  const absl::StatusOr<LandmarkOutcome> outcome = MakeLandmarks(settings);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->pictures, 33);
  EXPECT_EQ(outcome->queries, 6);
  const std::map<std::string, std::string> files = Files(settings.directory);
  EXPECT_TRUE(files.at("labels.csv").starts_with("path,instance,family,view,split,difficulty,x0,y0,x1,y1\n"));
  std::map<std::string, int> counts;
  for (const Row& row : ReadRows(files.at("labels.csv"))) {
    ASSERT_TRUE(files.contains(row.path)) << row.path;
    EXPECT_TRUE(row.path.starts_with(row.split + "/")) << row.path;
    ++counts[row.difficulty];
    const absl::StatusOr<image::Image> image = image::Decode(files.at(row.path), {}, {});
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_EQ(image->width, 64);
    EXPECT_EQ(image->height, 64);
    EXPECT_GE(row.box.x0, 0);
    EXPECT_LE(row.box.x1, 64);
    EXPECT_LE(row.box.y1, 64);
    if (row.difficulty != "junk") {
      EXPECT_GT((row.box.x1 - row.box.x0) * (row.box.y1 - row.box.y0), 16) << row.path;
    }
    if (row.difficulty == "query") {
      EXPECT_GT(row.box.x1 - row.box.x0, 12) << row.path;
    }
  }
  // Of 8 pictures to index 1 is junk; 3 of the other 7 are hard.
  EXPECT_EQ(counts,
            (std::map<std::string, int>{{"easy", 12}, {"hard", 9}, {"junk", 3}, {"query", 6}, {"distractor", 3}}));
  std::map<std::string, int> relevances;
  std::set<std::string> queries;
  for (absl::string_view line : absl::StrSplit(files.at("ground_truth.csv"), '\n', absl::SkipEmpty())) {
    const std::vector<std::string> fields = absl::StrSplit(line, ',');
    ASSERT_EQ(fields.size(), 3u);
    ++relevances[fields[2]];
    if (fields[0] == "query") continue;
    queries.insert(fields[0]);
    EXPECT_TRUE(files.contains(fields[0]) && files.contains(fields[1])) << line;
    // query/instance_00000/... stands beside index/instance_00000/...
    EXPECT_EQ(fields[0].substr(6, 14), fields[1].substr(6, 14));
  }
  EXPECT_EQ(relevances, (std::map<std::string, int>{{"relevance", 1}, {"easy", 24}, {"hard", 18}, {"junk", 6}}));
  EXPECT_EQ(queries.size(), 6u);
}

// Cut out and stretched alike, easy pictures resemble the query more than hard ones do, and those more than pictures of
// the instance's look-alikes and of other instances.
TEST(MakeLandmarksTest, DifficultyMeansSomething) {
  const TempFolder folder;
  const LandmarkSettings settings = {
      .directory = folder.Path("s"), .instances = 28, .views = 10, .side = 64, .seed = 3, .junk = 0};
  ASSERT_TRUE(MakeLandmarks(settings).ok());
  const std::map<std::string, std::string> files = Files(settings.directory);
  const std::vector<Row> rows = ReadRows(files.at("labels.csv"));
  std::map<std::string, std::vector<double>> thumbnails;
  for (const Row& row : rows) {
    if (row.box.x1 > row.box.x0) thumbnails[row.path] = Thumbnail(files.at(row.path), row.box);
  }
  std::map<std::string, std::pair<double, int>> sums;
  for (const Row& query : rows) {
    if (query.split != "query") continue;
    for (const Row& row : rows) {
      if (row.split != "index" || !thumbnails.contains(row.path)) continue;
      auto& [sum, count] = sums[row.instance == query.instance ? row.difficulty : "other"];
      sum += Correlation(thumbnails.at(query.path), thumbnails.at(row.path));
      ++count;
    }
  }
  const auto mean = [&sums](const std::string& name) { return sums[name].first / sums[name].second; };
  RecordProperty("easy", std::to_string(mean("easy")));
  EXPECT_GT(mean("easy"), mean("hard") + 0.08) << mean("easy") << " " << mean("hard");
  EXPECT_GT(mean("hard"), mean("other") + 0.08) << mean("hard") << " " << mean("other");
}

TEST(MakePlanTest, FamiliesHoldDifferentInstancesOfOneKind) {
  const std::vector<FamilyPlan> plan = MakePlan({.directory = "", .instances = 50, .views = 3, .distractors = 20});
  std::set<int64_t> numbers;
  size_t largest = 0;
  int joined = 0;
  for (const FamilyPlan& family : plan) {
    largest = std::max(largest, family.instances.size());
    for (const InstancePlan& instance : family.instances) {
      EXPECT_TRUE(numbers.insert(instance.instance).second);
      joined += instance.instance >= 50 && family.instances[0].instance < 50 ? 1 : 0;
    }
  }
  EXPECT_EQ(numbers.size(), 70u);
  EXPECT_GE(largest, 3u);
  EXPECT_EQ(joined, 10);
  // Two of one family have the same shape and other skins.
  for (int kind = 0; kind < kModelKinds; ++kind) {
    const Model a = MakeModel(static_cast<ModelKind>(kind), 96, 5, 6);
    const Model b = MakeModel(static_cast<ModelKind>(kind), 96, 5, 7);
    EXPECT_EQ(a.half.x, b.half.x) << kind;
    EXPECT_EQ(a.half.y, b.half.y) << kind;
    double difference = 0;
    for (float v = 0.05f; v < 1; v += 0.1f) {
      for (float u = 0.05f; u < 1; u += 0.1f) {
        difference += Length(a.textures[0]->At(u, v, 1).colour - b.textures[0]->At(u, v, 1).colour);
      }
    }
    EXPECT_GT(difference, 3) << kind;
  }
}

TEST(MakeLandmarksTest, CompleteFoldersAreLeftAloneAndOthersRefused) {
  const TempFolder folder;
  LandmarkSettings settings = Few(folder.Path("s"));
  settings.instances = 1;
  settings.distractors = 0;
  ASSERT_FALSE(MakeLandmarks(settings)->already_there);
  EXPECT_TRUE(MakeLandmarks(settings)->already_there);
  settings.seed = 9;
  EXPECT_EQ(base::GetErrorInfo(MakeLandmarks(settings).status()).reason, "FOLDER_IN_USE");
  settings.seed = 1;
  // A run that was interrupted before its last file.
  std::filesystem::remove(folder.Path("s/landmarks.json"));
  EXPECT_EQ(base::GetErrorInfo(MakeLandmarks(settings).status()).reason, "FOLDER_IN_USE");
}

TEST(MakeLandmarksTest, SettingsHaveRanges) {
  const TempFolder folder;
  const std::string path = folder.Path("s");
  EXPECT_EQ(base::GetErrorInfo(MakeLandmarks({}).status()).reason, "SETTING_MISSING");
  const LandmarkSettings wrong[] = {
      {.directory = path, .instances = 0},    {.directory = path, .instances = 100'001},
      {.directory = path, .views = 2},        {.directory = path, .views = 101},
      {.directory = path, .side = 63},        {.directory = path, .side = 2049},
      {.directory = path, .distractors = -1}, {.directory = path, .distractors = 1'000'001},
      {.directory = path, .junk = -0.01},     {.directory = path, .junk = 0.51},
      {.directory = path, .junk = NAN},       {.directory = path, .threads = -1},
      {.directory = path, .threads = 257}};
  for (const LandmarkSettings& settings : wrong) {
    EXPECT_EQ(base::GetErrorInfo(MakeLandmarks(settings).status()).reason, "SETTING_OUT_OF_RANGE");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace sightline::scene::landmark
