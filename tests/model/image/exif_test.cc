#include "model/image/exif.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/model/image/make_exif.h"
#include "tests/support/seed.h"

namespace sightline::image {
namespace {

TEST(ExifOrientationTest, ReadsBothByteOrdersWithAndWithoutPrefix) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    for (bool little : {false, true}) {
      EXPECT_EQ(ExifOrientation(MakeTiff(orientation, little)), orientation);
      EXPECT_EQ(ExifOrientation(MakeExif(orientation, little)), orientation);
      EXPECT_EQ(ExifOrientation(MakeExif(orientation, little, 5000)), orientation);
    }
  }
}

TEST(ExifOrientationTest, DamageMeansUpright) {
  for (int bad : {0, 9, 255, 65535}) EXPECT_EQ(ExifOrientation(MakeTiff(bad)), 1);
  const std::string good = MakeExif(6);
  for (size_t size = 0; size + 5 < good.size(); ++size) EXPECT_EQ(ExifOrientation(good.substr(0, size)), 1) << size;
  std::string beyond = MakeTiff(6);
  beyond[7] = '\x7F';  // the directory lies 2 GB behind
  EXPECT_EQ(ExifOrientation(beyond), 1);
  std::string many = MakeTiff(6).substr(0, 8) + "\xFF\xFF";
  EXPECT_EQ(ExifOrientation(many), 1);
}

TEST(ExifOrientationTest, RandomBytesGiveAnOrientation) {
  const uint64_t seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = MakeTiff(3, random() % 2, static_cast<int>(random() % 3));
    for (int flips = 0; flips < 3; ++flips) bytes[random() % bytes.size()] = static_cast<char>(random());
    bytes.resize(random() % (bytes.size() + 1));
    const int orientation = ExifOrientation(bytes);
    ASSERT_GE(orientation, 1);
    ASSERT_LE(orientation, 8);
  }
}

}  // namespace
}  // namespace sightline::image
