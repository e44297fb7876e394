#include "model/train/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/model/train/data/layout_files.h"
#include "tests/support/seed.h"
#include "tests/support/temp_folder.h"

namespace sightline::train {
namespace {

using ::sightline::testing::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(FoldersTest, AClassPerFolderInTheOrderOfNames) {
  const TempFolder folder;
  for (const char* name : {"b/2.jpg", "b/1.PNG", "a/deep/x.webp", "a/notes.txt", "a/.hidden.jpg", "loose.jpg",
                           ".git/x.jpg", "empty/readme.md"}) {
    WriteBelow(folder.path(), name, "");
  }
  const auto dataset = ReadDataset({.layout = DatasetLayout::kFolders, .root = folder.path()});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT(dataset->classes, ElementsAre("a", "b"));
  ASSERT_EQ(dataset->photos.size(), 3u);
  EXPECT_EQ(dataset->photos[0].path, folder.Path("a/deep/x.webp"));
  EXPECT_EQ(dataset->photos[1].path, folder.Path("b/1.PNG"));
  EXPECT_EQ(dataset->photos[2].path, folder.Path("b/2.jpg"));
  EXPECT_EQ(dataset->photos[2].label, 1);
}

TEST(FoldersTest, NothingThereIsAnError) {
  const TempFolder folder;
  WriteBelow(folder.path(), "a/notes.txt", "");
  const absl::Status empty = ReadDataset({.root = folder.path()}).status();
  EXPECT_EQ(base::GetErrorInfo(empty).reason, "DATASET_EMPTY");
  EXPECT_FALSE(ReadDataset({.root = folder.Path("absent")}).ok());
}

TEST(FoldersTest, SmallClassesAndWhatIsBeyondTheLimitAreLeftOut) {
  const TempFolder folder;
  for (int label = 0; label < 8; ++label) {
    for (int i = 0; i <= label; ++i) WriteBelow(folder.path(), absl::StrCat("c", label, "/", i, ".jpg"), "");
  }
  const auto large = ReadDataset({.root = folder.path(), .min_per_class = 4});
  ASSERT_TRUE(large.ok());
  EXPECT_THAT(large->classes, ElementsAre("c3", "c4", "c5", "c6", "c7"));
  EXPECT_EQ(large->photos.size(), 4u + 5 + 6 + 7 + 8);

  const auto few = ReadDataset({.root = folder.path(), .max_photos = 20});
  ASSERT_TRUE(few.ok());
  EXPECT_LE(few->photos.size(), 20u);
  EXPECT_GT(few->photos.size(), 12u);  // a class of 8 at most is dropped too many
  std::map<std::string, int> counts;
  for (const Photo& photo : few->photos) ++counts[few->classes[static_cast<size_t>(photo.label)]];
  EXPECT_EQ(counts.size(), few->classes.size());
  for (const auto& [name, count] : counts) EXPECT_EQ(count, name[1] - '0' + 1) << name << " is cut";
  EXPECT_EQ(ReadDataset({.root = folder.path(), .max_photos = 20})->classes, few->classes);
  EXPECT_EQ(base::GetErrorInfo(ReadDataset({.root = folder.path(), .min_per_class = 9}).status()).reason,
            "DATASET_EMPTY");
}

class CsvListTest : public ::testing::Test {
 protected:
  absl::StatusOr<Dataset> Read(absl::string_view text, const std::string& split = "") {
    WriteBelow(folder_.path(), "labels.csv", text);
    return ReadDataset({.layout = DatasetLayout::kCsv, .root = folder_.path(), .split = split});
  }
  std::string ErrorOf(absl::string_view text, const std::string& split = "") {
    const auto dataset = Read(text, split);
    return dataset.ok() ? "" : std::string(dataset.status().message());
  }

  const TempFolder folder_{::sightline::testing::FastFolder()};
};

TEST_F(CsvListTest, AllColumns) {
  const auto dataset = Read(
      "path,label,split,x0,y0,x1,y1,latitude,longitude,weight,other\r\n"
      "\"a, b.jpg\",tower,index,1,2,30.5,40,-33.5,151.2,2,x\r\n"
      "c.jpg,gate,query,,,,,,,,\r\n"
      "d.jpg,tower,query,0,0,1,1,90,-180,,\r\n");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT(dataset->classes, ElementsAre("tower", "gate"));
  ASSERT_EQ(dataset->photos.size(), 3u);
  const Photo& first = dataset->photos[0];
  EXPECT_EQ(first.path, folder_.Path("a, b.jpg"));
  EXPECT_FALSE(first.query);
  ASSERT_TRUE(first.box.has_value());
  EXPECT_EQ(first.box->unit, image::CropBox::Unit::kPixel);
  EXPECT_EQ(first.box->x1, 30.5);
  ASSERT_TRUE(first.position.has_value());
  EXPECT_EQ(first.position->latitude, -33.5);
  EXPECT_EQ(first.position->longitude, 151.2);
  EXPECT_EQ(first.weight, 2);
  EXPECT_TRUE(dataset->photos[1].query);
  EXPECT_EQ(dataset->photos[1].label, 1);
  EXPECT_FALSE(dataset->photos[1].box.has_value());
  EXPECT_FALSE(dataset->photos[1].position.has_value());
  EXPECT_EQ(dataset->photos[1].weight, 1);
}

TEST_F(CsvListTest, OneSplitOfIt) {
  const std::string text = "label,path,split\na,1.jpg,train\nb,2.jpg,val\na,3.jpg,train\n";
  EXPECT_EQ(Read(text, "train")->photos.size(), 2u);
  EXPECT_THAT(Read(text, "val")->classes, ElementsAre("b"));
  EXPECT_EQ(Read(text)->photos.size(), 3u);
  EXPECT_THAT(ErrorOf(text, "test"), HasSubstr("no photographs"));
  EXPECT_THAT(ErrorOf("label,path\na,1.jpg\n", "train"), HasSubstr("no column \"split\""));
}

TEST_F(CsvListTest, ScenesAreReadAsTheyAreWritten) {
  const auto dataset = Read("path,instance,view,split\nindex/a.jpg,7,0,index\nquery/b.jpg,7,1,query\n");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT(dataset->classes, ElementsAre("7"));
  EXPECT_TRUE(dataset->photos[1].query);
}

TEST_F(CsvListTest, TheListMayLieBesideTheRoot) {
  WriteBelow(folder_.path(), "list.csv", "path,label\nx.jpg,1\n");
  WriteBelow(folder_.path(), "photos/x.jpg", "");
  for (const char* root : {"photos", "photos/"}) {
    const auto dataset = ReadDataset({.layout = DatasetLayout::kCsv, .root = folder_.Path(root), .list = "list.csv"});
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    EXPECT_EQ(dataset->photos[0].path, folder_.Path("photos/x.jpg"));
  }
}

TEST_F(CsvListTest, WhatIsWrongIsNamed) {
  for (const char* path : {"../../etc/passwd", "/etc/passwd", "a/../../b.jpg", "", ".."}) {
    EXPECT_THAT(ErrorOf(absl::StrCat("path,label\nok.jpg,1\n", path, ",1\n")), HasSubstr("labels.csv, line 3: path is"))
        << path;
  }
  EXPECT_THAT(ErrorOf("path,label\na.jpg,\n"), HasSubstr("label is \"\""));
  EXPECT_THAT(ErrorOf("path\na.jpg\n"), HasSubstr("no column \"label\""));
  EXPECT_THAT(ErrorOf("path,label,path\na.jpg,1,b.jpg\n"), HasSubstr("two columns"));
  EXPECT_THAT(ErrorOf("path,label,x0\na.jpg,1,2\n"), HasSubstr("no column \"y0\""));
  EXPECT_THAT(ErrorOf("path,label,x0,y0,x1,y1\na.jpg,1,5,0,5,9\n"), HasSubstr("more than x0, 5"));
  EXPECT_THAT(ErrorOf("path,label,x0,y0,x1,y1\na.jpg,1,5,0,6,\n"), HasSubstr("y1 is \"\""));
  EXPECT_THAT(ErrorOf("path,label,x0,y0,x1,y1\na.jpg,1,nan,0,6,7\n"), HasSubstr("x0 is \"nan\""));
  EXPECT_THAT(ErrorOf("path,label,latitude,longitude\na.jpg,1,nan,0\n"), HasSubstr("latitude is \"nan\""));
  EXPECT_THAT(ErrorOf("path,label,latitude,longitude\na.jpg,1,1,180.1\n"), HasSubstr("from -180 to 180"));
  EXPECT_THAT(ErrorOf("path,label,latitude,longitude\na.jpg,1,,2\n"), HasSubstr("latitude is \"\""));
  EXPECT_THAT(ErrorOf("path,label,latitude\na.jpg,1,1\n"), HasSubstr("no column \"longitude\""));
  EXPECT_THAT(ErrorOf("path,label,weight\na.jpg,1,-1\n"), HasSubstr("weight is \"-1\""));
  EXPECT_THAT(ErrorOf("path,label,weight\na.jpg,1,inf\n"), HasSubstr("weight is \"inf\""));
  EXPECT_THAT(ErrorOf("path,label\n\"a.jpg,1\n"), HasSubstr("quote"));
  EXPECT_THAT(ErrorOf(absl::string_view("path,label\na\0b,1\n", 17)), HasSubstr("NUL"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("empty"));
  EXPECT_THAT(ErrorOf("path,label\n"), HasSubstr("no photographs"));
  EXPECT_THAT(ErrorOf("path,label" + std::string(10'000'000, ',')), HasSubstr("longer than"));
}

TEST_F(CsvListTest, RandomDamageIsSurvived) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 500; ++i) {
    std::string text = "path,label,x0,y0,x1,y1,latitude,longitude\na.jpg,1,1,2,3,4,5,6\nb.jpg,2,,,,,,\n";
    for (size_t n = 1 + random() % 4; n > 0; --n) text[random() % text.size()] = static_cast<char>(random());
    const auto dataset = Read(text);
    if (!dataset.ok()) continue;
    for (const Photo& photo : dataset->photos) {
      EXPECT_LT(photo.label, static_cast<int64_t>(dataset->classes.size()));
      EXPECT_EQ(photo.path.find("/../"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace sightline::train
