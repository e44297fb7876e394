// Files cut short, with flipped bytes, or made of nothing: never a crash, and a reason for every refusal.
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/image/decode.h"
#include "tests/model/image/make_exif.h"
#include "tests/model/image/make_image.h"
#include "tests/model/image/make_jpeg.h"
#include "tests/model/image/make_png.h"
#include "tests/model/image/make_webp.h"
#include "tests/support/seed.h"

namespace sightline::image {
namespace {

struct Sample {
  std::string name;
  std::string bytes;
};

std::vector<Sample> Samples() {
  const Image image = Waves(96, 80);
  return {
      {"baseline JPEG", MakeJpeg(image, {.markers = {{0xE1, MakeExif(6)}}})},
      {"progressive JPEG", MakeJpeg(image, {.progressive = true})},
      {"JPEG of separate scans", MakeJpeg(image, {.separate_scans = true})},
      {"JPEG with restarts", MakeJpeg(image, {.restart_rows = 1})},
      {"CMYK JPEG", MakeJpeg(image, {.colour = JpegColour::kCmyk})},
      {"PNG", MakePng(image, false, MakeTiff(3))},
      {"interlaced PNG", MakePng(image, true)},
      {"lossy WebP", MakeWebp(image, 80)},
      {"lossless WebP", MakeWebp(image, 0)},
      {"WebP with EXIF", MakeWebpWithExif(image, MakeTiff(8))},
      {"WebP with alpha", MakeWebpWithAlpha(image, std::vector<uint8_t>(96 * 80, 77))},
  };
}

// Whatever the bytes are: an image of the promised size, or INVALID_ARGUMENT with a reason and two sentences.
void ExpectSane(const std::string& bytes) {
  for (int wanted_side : {0, 16}) {
    const absl::StatusOr<Image> image = Decode(bytes, {}, {.wanted_side = wanted_side});
    if (image.ok()) {
      ASSERT_EQ(image->rgb.size(), static_cast<size_t>(image->width) * image->height * 3);
      ASSERT_GE(image->original_width, image->width);
    } else {
      ASSERT_EQ(image.status().code(), absl::StatusCode::kInvalidArgument) << image.status();
      ASSERT_NE(base::GetErrorInfo(image.status()).reason, "UNKNOWN") << image.status();
      ASSERT_EQ(image.status().message().back(), '.');
    }
  }
}

TEST(DamageTest, FilesCutShortAreRefused) {
  const std::set<std::string> kReasons = {"IMAGE_TRUNCATED", "IMAGE_TYPE_UNKNOWN", "IMAGE_EMPTY"};
  for (const Sample& sample : Samples()) {
    ASSERT_TRUE(Decode(sample.bytes, {}, {}).ok()) << sample.name;
    for (size_t percent = 0; percent < 100; ++percent) {
      SCOPED_TRACE(absl::StrCat(sample.name, " cut at ", percent, " %"));
      const absl::Status status = Decode(sample.bytes.substr(0, sample.bytes.size() * percent / 100), {}, {}).status();
      ASSERT_FALSE(status.ok());
      EXPECT_TRUE(kReasons.contains(base::GetErrorInfo(status).reason)) << status;
    }
  }
}

TEST(DamageTest, FlippedBytesNeverCrash) {
  const uint64_t seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937_64 random(seed);
  for (const Sample& sample : Samples()) {
    for (int round = 0; round < 150; ++round) {
      SCOPED_TRACE(absl::StrCat(sample.name, ", round ", round));
      std::string bytes = sample.bytes;
      // Half of the rounds hit the first bytes, where the structure is.
      const size_t reach = round % 2 == 0 ? bytes.size() : std::min<size_t>(bytes.size(), 700);
      const size_t flips = 1 + random() % 8;
      for (size_t i = 0; i < flips; ++i) bytes[random() % reach] = static_cast<char>(random());
      ExpectSane(bytes);
    }
  }
}

TEST(DamageTest, RearrangedFilesNeverCrash) {
  const uint64_t seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937_64 random(seed);
  const std::vector<Sample> samples = Samples();
  for (int round = 0; round < 400; ++round) {
    const std::string& head = samples[random() % samples.size()].bytes;
    const std::string& tail = samples[random() % samples.size()].bytes;
    ExpectSane(head.substr(0, random() % head.size()) + tail.substr(random() % tail.size()));
  }
}

TEST(DamageTest, SignaturesWithNoiseBehindThem) {
  const uint64_t seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937_64 random(seed);
  for (const std::string& start :
       {std::string("\xFF\xD8\xFF"), PngSignature(), std::string("RIFF\x40\0\0\0WEBPVP8 ", 16), std::string()}) {
    for (int round = 0; round < 50; ++round) {
      std::string bytes = start;
      for (size_t size = random() % 300; size > 0; --size) bytes.push_back(static_cast<char>(random()));
      ExpectSane(bytes);
    }
  }
}

TEST(DamageTest, ADamagedSumOfPixelsIsNoticed) {
  std::string bytes = MakePng(Waves(96, 80));
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  EXPECT_EQ(base::GetErrorInfo(Decode(bytes, {}, {}).status()).reason, "IMAGE_CORRUPT");
}

TEST(DamageTest, ARowFilterThatDoesNotExist) {
  EXPECT_EQ(base::GetErrorInfo(Decode(AssemblePng({}, absl::string_view("\x09\1\2\3", 4)), {}, {}).status()).reason,
            "IMAGE_CORRUPT");
}

TEST(DamageTest, FewerRowsThanTheHeaderNames) {
  const absl::Status status = Decode(AssemblePng({.height = 50}, absl::string_view("\0\1\2\3", 4)), {}, {}).status();
  EXPECT_EQ(base::GetErrorInfo(status).reason, "IMAGE_CORRUPT") << status;
}

}  // namespace
}  // namespace sightline::image
