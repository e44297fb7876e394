#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/train/data/dataset.h"
#include "tests/model/train/data/layout_files.h"
#include "tests/support/seed.h"
#include "tests/support/temp_folder.h"

namespace sightline::train {
namespace {

using ::sightline::testing::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LayoutsTest : public ::testing::Test {
 protected:
  void Write(absl::string_view name, absl::string_view content) { WriteBelow(folder_.path(), name, content); }

  absl::StatusOr<Dataset> Read(DatasetLayout layout, const std::string& split = "", const std::string& list = "") {
    return ReadDataset({.layout = layout, .root = folder_.path(), .list = list, .split = split});
  }

  std::string ErrorOf(DatasetLayout layout, const std::string& split = "", const std::string& list = "") {
    const auto dataset = Read(layout, split, list);
    return dataset.ok() ? "" : std::string(dataset.status().message());
  }

  // "path below the root:class" of every photograph.
  std::vector<std::string> Summary(const absl::StatusOr<Dataset>& dataset) const {
    if (!dataset.ok()) return {std::string(dataset.status().message())};
    std::vector<std::string> rows;
    for (const Photo& photo : dataset->photos) {
      EXPECT_TRUE(absl::StartsWith(photo.path, folder_.path() + "/"));
      rows.push_back(absl::StrCat(photo.path.substr(folder_.path().size() + 1), ":",
                                  dataset->classes[static_cast<size_t>(photo.label)]));
    }
    return rows;
  }

  const TempFolder folder_{::sightline::testing::FastFolder()};
};

TEST_F(LayoutsTest, Gldv2) {
  Write("train_clean.csv", "landmark_id,images\n1,17660ef415d37059 92b6290d571448f6\n7,cd41bf948edc0340\n");
  EXPECT_THAT(
      Summary(Read(DatasetLayout::kGldv2)),
      ElementsAre("1/7/6/17660ef415d37059.jpg:1", "9/2/b/92b6290d571448f6.jpg:1", "c/d/4/cd41bf948edc0340.jpg:7"));
  Write("train.csv",
        "id,url,landmark_id\n6e158a47eb2ca3f6,https://example.org/a.jpg,142820\n"
        "202cd79556f30760,\"http://example.org/b,c.jpg\",104169\n");
  EXPECT_THAT(Summary(Read(DatasetLayout::kGldv2, "", "train.csv")),
              ElementsAre("6/e/1/6e158a47eb2ca3f6.jpg:142820", "2/0/2/202cd79556f30760.jpg:104169"));
  for (const char* bad : {"1,../../../../etc", "1,", "1,17660ef415d3705", "1,17660ef415d37059  92b6290d571448f6",
                          "one,17660ef415d37059", "-1,17660ef415d37059", "1,17660ef415d3705/"}) {
    Write("train_clean.csv", absl::StrCat("landmark_id,images\n", bad, "\n"));
    EXPECT_THAT(ErrorOf(DatasetLayout::kGldv2), HasSubstr("line 2: ")) << bad;
  }
  // A landmark of ten thousand photographs is one line.
  std::string many = "landmark_id,images\n5,17660ef415d37059";
  for (int i = 0; i < 10'000; ++i) many += " 17660ef415d37059";
  Write("train_clean.csv", many);
  EXPECT_EQ(Read(DatasetLayout::kGldv2)->photos.size(), 10'001u);
  EXPECT_THAT(ErrorOf(DatasetLayout::kGldv2, "train"), HasSubstr("split is \"train\"; this layout has none"));
}

TEST_F(LayoutsTest, Gldv1) {
  Write("train.csv",
        "\"id\",\"url\",\"landmark_id\"\n\"97c0a12e07ae8dd5\",\"http://example.org/x\",6347\n"
        "\"650c989dd3493748\",\"http://example.org/y\",None\nabc,,12519\n");
  EXPECT_THAT(Summary(Read(DatasetLayout::kGldv1)), ElementsAre("97c0a12e07ae8dd5.jpg:6347", "abc.jpg:12519"));
  Write("train.csv", "id,url,landmark_id\n../x,,1\n");
  EXPECT_THAT(ErrorOf(DatasetLayout::kGldv1), HasSubstr("id is \"../x\""));
  Write("train.csv", "id,url,landmark_id\nabc,,none\n");
  EXPECT_THAT(ErrorOf(DatasetLayout::kGldv1), HasSubstr("landmark_id is \"none\""));
}

TEST_F(LayoutsTest, Sfm120k) {
  Write("retrieval-SfM-120k.txt", "93a0f0b4d4e5f6a7 12\r\n00112233445566778899aabbccddeeff\t3\n\nabcdef 12");
  EXPECT_THAT(
      Summary(Read(DatasetLayout::kSfm120k)),
      ElementsAre("a7/f6/e5/93a0f0b4d4e5f6a7:12", "ff/ee/dd/00112233445566778899aabbccddeeff:3", "ef/cd/ab/abcdef:12"));
  for (const char* bad :
       {"abcde 1", "../../../x 1", "abcdef", "abcdef 1 2", "abcdef -1", "abcdef x", " abcdef 1", "abcdef  1"}) {
    Write("retrieval-SfM-120k.txt", absl::StrCat("abcdef 1\n", bad, "\n"));
    EXPECT_THAT(ErrorOf(DatasetLayout::kSfm120k), HasSubstr("line 2: ")) << bad;
  }
}

TEST_F(LayoutsTest, NcClean) {
  Write("nc_clean.csv", "a/1.jpg,abbey\n\"b, c.jpg\",bridge\na/2.jpg,abbey\n");
  EXPECT_THAT(Summary(Read(DatasetLayout::kNcClean)), ElementsAre("a/1.jpg:abbey", "b, c.jpg:bridge", "a/2.jpg:abbey"));
  Write("nc_clean.csv", "path,class\na/1.jpg,abbey\n");
  EXPECT_THAT(Summary(Read(DatasetLayout::kNcClean)), ElementsAre("a/1.jpg:abbey"));
  Write("nc_clean.csv", "../../etc/passwd,abbey\n");
  EXPECT_THAT(ErrorOf(DatasetLayout::kNcClean), HasSubstr("path is \"../../etc/passwd\""));
  Write("nc_clean.csv", "a.jpg,abbey,3\n");
  EXPECT_THAT(ErrorOf(DatasetLayout::kNcClean), HasSubstr("3 fields"));
}

TEST_F(LayoutsTest, Cars) {
  Write("cars.csv", "path,class\ncar_ims/000001.jpg,1\ncar_ims/2.jpg,3\ncar_ims/3.jpg,2\ncar_ims/4.jpg,4\n");
  EXPECT_THAT(Summary(Read(DatasetLayout::kCars, "train")), ElementsAre("car_ims/000001.jpg:1", "car_ims/3.jpg:2"));
  EXPECT_THAT(Summary(Read(DatasetLayout::kCars, "test")), ElementsAre("car_ims/2.jpg:3", "car_ims/4.jpg:4"));
  EXPECT_EQ(Read(DatasetLayout::kCars)->photos.size(), 4u);
  EXPECT_THAT(ErrorOf(DatasetLayout::kCars, "val"), HasSubstr("one of train, test"));
  Write("cars.csv", "a.jpg,0\n");
  EXPECT_THAT(ErrorOf(DatasetLayout::kCars), HasSubstr("class is \"0\""));
}

TEST_F(LayoutsTest, Cub) {
  const std::string images = "1 001.A/A_1.jpg\n2 001.A/A_2.jpg\n3 002.B/B_1.jpg\n";
  Write("images.txt", images);
  Write("image_class_labels.txt", "3 2\n1 1\n2 1\n");
  EXPECT_THAT(Summary(Read(DatasetLayout::kCub, "train")),
              ElementsAre("images/001.A/A_1.jpg:1", "images/001.A/A_2.jpg:1"));
  EXPECT_THAT(Summary(Read(DatasetLayout::kCub, "test")), ElementsAre("images/002.B/B_1.jpg:2"));
  EXPECT_FALSE(Read(DatasetLayout::kCub)->photos[0].box.has_value());

  Write("bounding_boxes.txt", "1 60.0 27.0 325.0 304.0\n2 1 2 3 4\n3 5 6 7 8\n");
  const auto boxed = Read(DatasetLayout::kCub, "", "bounding_boxes.txt");
  ASSERT_TRUE(boxed.ok()) << boxed.status();
  ASSERT_TRUE(boxed->photos[0].box.has_value());
  EXPECT_EQ(boxed->photos[0].box->x0, 60);
  EXPECT_EQ(boxed->photos[0].box->x1, 385);
  EXPECT_EQ(boxed->photos[0].box->y1, 331);
  EXPECT_EQ(boxed->photos[0].box->unit, image::CropBox::Unit::kPixel);

  Write("bounding_boxes.txt", "1 nan 27.0 325.0 304.0\n");
  EXPECT_THAT(ErrorOf(DatasetLayout::kCub, "", "bounding_boxes.txt"), HasSubstr("x is \"nan\""));
  Write("bounding_boxes.txt", "1 1 1 5 5\n");
  EXPECT_THAT(ErrorOf(DatasetLayout::kCub, "", "bounding_boxes.txt"), HasSubstr("images.txt, line 2"));
  EXPECT_THAT(ErrorOf(DatasetLayout::kCub, "", "parts.txt"), HasSubstr("list is parts.txt"));
  Write("image_class_labels.txt", "1 1\n2 1\n");
  EXPECT_THAT(ErrorOf(DatasetLayout::kCub), HasSubstr("images.txt, line 3: id is \"3\""));
  Write("image_class_labels.txt", "1 1\n2 1\n2 2\n3 2\n");
  EXPECT_THAT(ErrorOf(DatasetLayout::kCub), HasSubstr("image_class_labels.txt, line 3"));
  Write("image_class_labels.txt", "1 1\n2 1\n3 2\n");
  Write("images.txt", "1 ../../../etc/passwd\n");
  EXPECT_THAT(ErrorOf(DatasetLayout::kCub), HasSubstr("below the root"));
}

TEST_F(LayoutsTest, Sop) {
  const std::string names = "image_id class_id super_class_id path\n";
  Write("Ebay_train.txt", names + "1 1 1 bicycle_final/111085122871_0.JPG\n2 1 1 bicycle_final/111085122871_1.JPG\n");
  Write("Ebay_test.txt", names + "59552 11319 1 bicycle_final/251935572685_0.JPG\n");
  EXPECT_EQ(Read(DatasetLayout::kSop, "train")->photos.size(), 2u);
  EXPECT_THAT(Summary(Read(DatasetLayout::kSop, "test")), ElementsAre("bicycle_final/251935572685_0.JPG:11319"));
  EXPECT_THAT(Read(DatasetLayout::kSop)->classes, ElementsAre("1", "11319"));
  Write("Ebay_train.txt", names + "1 1 1 /etc/passwd\n");
  EXPECT_THAT(ErrorOf(DatasetLayout::kSop, "train"), HasSubstr("Ebay_train.txt, line 2: path is"));
  EXPECT_THAT(ErrorOf(DatasetLayout::kSop, "val"), HasSubstr("split is \"val\""));
}

class MslsTest : public LayoutsTest {
 protected:
  void WriteCity(const std::string& part, const std::string& city) {
    for (const std::string side : {"query", "database"}) {
      const std::string folder = absl::StrCat(part, "/", city, "/", side);
      Write(folder + "/postprocessed.csv",
            absl::StrCat(kNames, "0,a_", side, ",1.5,2.5,7,True,False,Forward\n1,b-", side,
                         ",1.5,2.5,7,False,False,Sideways\n2,c", side, ",1,2,7,False,False,Backward\n3,pano", side,
                         ",1,2,7,False,False,Forward\n4,d", side, ",1,2,7,False,False,Backward\n"));
      Write(folder + "/raw.csv",
            absl::StrCat(kRawNames, "0,a_", side, ",12.5,55.25,0,2018-01-01,False\n1,b-", side,
                         ",12.5,55.5,0,2018-01-01,False\n2,c", side, ",12.5,55.5,0,2018-01-01,False\n3,pano", side,
                         ",12.5,55.5,0,2018-01-01,True\n4,d", side, ",12.5,55.5,0,2018-01-01,False\n"));
    }
  }

  static constexpr absl::string_view kNames =
      ",key,easting,northing,unique_cluster,night,control_panel,view_direction\n";
  static constexpr absl::string_view kRawNames = ",key,lon,lat,ca,captured_at,pano\n";
};

TEST_F(MslsTest, CitiesOfTheSplit) {
  for (const char* city : {"trondheim", "cph", "sf", "london"}) WriteCity("train_val", city);
  WriteCity("test", "miami");
  EXPECT_THAT(Read(DatasetLayout::kMsls, "train")->classes, ElementsAre("london", "trondheim"));
  EXPECT_THAT(Read(DatasetLayout::kMsls, "val")->classes, ElementsAre("cph", "sf"));
  EXPECT_THAT(Read(DatasetLayout::kMsls, "test")->classes, ElementsAre("miami"));
  EXPECT_EQ(Read(DatasetLayout::kMsls)->classes.size(), 4u);
}

TEST_F(MslsTest, PanoramasAreOutAndRareOnesWeighMore) {
  WriteCity("train_val", "trondheim");
  const auto dataset = Read(DatasetLayout::kMsls, "train");
  EXPECT_THAT(Summary(dataset), ElementsAre("train_val/trondheim/query/images/a_query.jpg:trondheim",
                                            "train_val/trondheim/query/images/b-query.jpg:trondheim",
                                            "train_val/trondheim/query/images/cquery.jpg:trondheim",
                                            "train_val/trondheim/query/images/dquery.jpg:trondheim",
                                            "train_val/trondheim/database/images/a_database.jpg:trondheim",
                                            "train_val/trondheim/database/images/b-database.jpg:trondheim",
                                            "train_val/trondheim/database/images/cdatabase.jpg:trondheim",
                                            "train_val/trondheim/database/images/ddatabase.jpg:trondheim"));
  ASSERT_TRUE(dataset.ok());
  std::vector<double> weights;
  for (const Photo& photo : dataset->photos) weights.push_back(photo.weight);
  // Four queries, one at night, one sideways.
  EXPECT_THAT(weights, ElementsAre(5, 5, 1, 1, 1, 1, 1, 1));
  EXPECT_TRUE(dataset->photos[3].query);
  EXPECT_FALSE(dataset->photos[4].query);
  ASSERT_TRUE(dataset->photos[0].position.has_value());
  EXPECT_EQ(dataset->photos[0].position->latitude, 55.25);
  EXPECT_EQ(dataset->photos[0].position->longitude, 12.5);
}

TEST_F(MslsTest, WhatIsWrongIsNamed) {
  WriteCity("train_val", "trondheim");
  const std::string folder = "train_val/trondheim/query";
  for (const char* bad : {"0,a_query,nan,55,0,2018,False", "0,a_query,12,inf,0,2018,False",
                          "0,a_query,12,91,0,2018,False", "0,a_query,12,55,0,2018,maybe"}) {
    Write(folder + "/raw.csv", absl::StrCat(kRawNames, bad, "\n"));
    EXPECT_THAT(ErrorOf(DatasetLayout::kMsls), HasSubstr("raw.csv, line 2: ")) << bad;
  }
  Write(folder + "/raw.csv", absl::StrCat(kRawNames, "0,other,12,55,0,2018,False\n"));
  EXPECT_THAT(ErrorOf(DatasetLayout::kMsls), HasSubstr("raw.csv does not have it"));
  Write(folder + "/postprocessed.csv", absl::StrCat(kNames, "0,../x,1,2,7,True,False,Forward\n"));
  EXPECT_THAT(ErrorOf(DatasetLayout::kMsls), HasSubstr("key is \"../x\""));
}

TEST_F(LayoutsTest, ListsThatAreNone) {
  const std::string huge(5'000'000, 'x');
  for (const absl::string_view text :
       {absl::string_view(huge), absl::string_view("a\0b 1\n", 6), absl::string_view("\xFF\xFE\0\0", 4)}) {
    for (const char* name : {"retrieval-SfM-120k.txt", "nc_clean.csv", "train_clean.csv", "train.csv", "cars.csv"}) {
      Write(name, text);
    }
    for (const auto layout : {DatasetLayout::kSfm120k, DatasetLayout::kNcClean, DatasetLayout::kGldv2,
                              DatasetLayout::kGldv1, DatasetLayout::kCars}) {
      EXPECT_NE(ErrorOf(layout), "") << static_cast<int>(layout);
    }
  }
  for (int layout = 0; layout <= static_cast<int>(DatasetLayout::kMsls); ++layout) {
    EXPECT_FALSE(ReadDataset({.layout = static_cast<DatasetLayout>(layout), .root = folder_.Path("absent")}).ok());
  }
}

TEST_F(MslsTest, RandomDamageIsSurvived) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  WriteCity("train_val", "oslo");
  const std::map<std::string, std::pair<DatasetLayout, std::string>> files = {
      {"train_clean.csv", {DatasetLayout::kGldv2, "landmark_id,images\n1,17660ef415d37059 92b6290d571448f6\n"}},
      {"train.csv", {DatasetLayout::kGldv1, "id,url,landmark_id\n97c0a12e07ae8dd5,http://x,6347\nabc,,None\n"}},
      {"retrieval-SfM-120k.txt", {DatasetLayout::kSfm120k, "93a0f0b4d4e5f6a7 12\nabcdef 3\n"}},
      {"nc_clean.csv", {DatasetLayout::kNcClean, "path,class\na.jpg,1\n"}},
      {"cars.csv", {DatasetLayout::kCars, "a.jpg,1\nb.jpg,2\n"}},
      {"images.txt", {DatasetLayout::kCub, "1 a/b.jpg\n2 c.jpg\n"}},
      {"image_class_labels.txt", {DatasetLayout::kCub, "1 1\n2 2\n"}},
      {"Ebay_train.txt", {DatasetLayout::kSop, "image_id class_id super_class_id path\n1 1 1 a/b.JPG\n"}},
      {"train_val/oslo/query/raw.csv",
       {DatasetLayout::kMsls, absl::StrCat(kRawNames, "0,a_query,12.5,55.25,0,2018-01-01,False\n")}},
  };
  for (const auto& [name, file] : files) Write(name, file.second);
  Write("Ebay_test.txt", "");
  for (const auto& [name, file] : files) {
    for (int i = 0; i < 100; ++i) {
      std::string text = file.second;
      for (size_t n = 1 + random() % 4; n > 0; --n) {
        text[random() % text.size()] = random() % 2 == 0 ? " ,\"\n/."[random() % 6] : static_cast<char>(random());
      }
      Write(name, text);
      const auto dataset = Read(file.first);
      if (!dataset.ok()) continue;
      for (const Photo& photo : dataset->photos) {
        EXPECT_TRUE(absl::StartsWith(photo.path, folder_.path()));
        EXPECT_FALSE(absl::StrContains(photo.path, "/../")) << photo.path;
      }
    }
    Write(name, file.second);
  }
}

}  // namespace
}  // namespace sightline::train
