// Files that are small and claim or unpack to something huge: refused from the header, or decoded within bounds.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/image/decode.h"
#include "tests/model/image/make_exif.h"
#include "tests/model/image/make_image.h"
#include "tests/model/image/make_jpeg.h"
#include "tests/model/image/make_png.h"
#include "tests/model/image/make_webp.h"

namespace sightline::image {
namespace {

int64_t PeakKib() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

void ExpectRefused(const std::string& bytes, const std::string& reason) {
  const int64_t before = PeakKib();
  const absl::Status status = Decode(bytes, {}, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(base::GetErrorInfo(status).reason, reason) << status;
  EXPECT_LT(PeakKib() - before, 8 << 10) << "KiB more at the peak";
}

TEST(BombTest, PngOf361MegapixelsInTensOfKilobytes) {
  const std::string bytes = MakePngBomb(19000, 19000);
  ASSERT_LT(bytes.size(), 100'000u);
  ExpectRefused(bytes, "IMAGE_TOO_MANY_PIXELS");
  EXPECT_EQ(Decode(bytes, {}, {}).status().message(),
            "image is 19000x19000 (361 MP); the limit is 50 MP. Resize it or raise --max_pixels.");
}

TEST(BombTest, HeadersBeyondTheLimits) {
  for (int side : {8000, 16385, 30000, 65500, 65501, 65535}) {
    SCOPED_TRACE(side);
    ExpectRefused(MakeJpegHeader(side, side), "IMAGE_TOO_MANY_PIXELS");
    ExpectRefused(MakeJpegHeader(side, 1), side > 16384 ? "IMAGE_SIDE_TOO_LONG" : "IMAGE_CORRUPT");
  }
  for (uint32_t side : {16385u, 65536u, 1u << 24, 0x7FFFFFFFu}) {
    SCOPED_TRACE(side);
    ExpectRefused(AssemblePng({.width = side, .height = side}, ""), "IMAGE_TOO_MANY_PIXELS");
    ExpectRefused(AssemblePng({.width = 1, .height = side}, ""),
                  side > 50'000'000 ? "IMAGE_TOO_MANY_PIXELS" : "IMAGE_SIDE_TOO_LONG");
  }
  for (uint32_t side : {0x80000000u, 0xFFFFFFFFu}) {
    ExpectRefused(AssemblePng({.width = side, .height = 1}, ""), "IMAGE_CORRUPT");
  }
  // Lossless WebP stores 14 bits each of width - 1 and height - 1 behind its signature byte.
  std::string webp = MakeWebp(Waves(8, 8), 0);
  webp.replace(21, 3, "\xFF\xFF\xFF");
  webp[24] = static_cast<char>(webp[24] | 0x0F);
  ExpectRefused(webp, "IMAGE_TOO_MANY_PIXELS");
}

TEST(BombTest, SizesOfZero) {
  ExpectRefused(AssemblePng({.width = 0, .height = 5}, ""), "IMAGE_EMPTY");
  ExpectRefused(MakeJpegHeader(0, 5), "IMAGE_EMPTY");
  ExpectRefused(MakeJpegHeader(5, 0), "IMAGE_EMPTY");
}

TEST(BombTest, TooManyEncodedBytes) {
  std::string bytes = MakePng(Waves(4, 4));
  bytes.resize((16 << 20) + 1);
  ExpectRefused(bytes, "IMAGE_TOO_LARGE");
}

// 49 MP of black in tens of kilobytes are within the limits; reduced, they take little memory.
TEST(BombTest, APngAtTheLimitIsReducedRowByRow) {
  const std::string bytes = MakePngBomb(7000, 7000);
  const int64_t before = PeakKib();
  const absl::StatusOr<Image> image = Decode(bytes, {}, {.wanted_side = 224});
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->width, 875);
  EXPECT_LT(PeakKib() - before, 32 << 10) << "KiB more at the peak";
}

// Ancillary chunks that unpack to 256 MB are skipped, not unpacked.
TEST(BombTest, CompressedChunksAreNotUnpacked) {
  const std::string zeros = DeflateZeros(256 << 20);
  const std::string profile = absl::StrCat("p", std::string(2, '\0'), zeros);
  const std::string text = absl::StrCat("Comment", std::string(2, '\0'), zeros);
  const std::string international = absl::StrCat("Comment", absl::string_view("\0\1\0\0\0", 5), zeros);
  for (const std::string& chunk :
       {PngChunk("iCCP", profile), PngChunk("zTXt", text), PngChunk("iTXt", international)}) {
    const std::string bytes = AssemblePng({}, absl::string_view("\0\1\2\3", 4), chunk);
    const int64_t before = PeakKib();
    const absl::StatusOr<Image> image = Decode(bytes, {}, {});
    EXPECT_TRUE(image.ok()) << image.status();
    EXPECT_LT(PeakKib() - before, 16 << 10) << "KiB more at the peak";
  }
}

TEST(BombTest, HundredsOfThousandsOfChunks) {
  std::string chunks;
  const std::string text = PngChunk("tEXt", "k");
  for (int i = 0; i < 300'000; ++i) chunks += text;
  EXPECT_TRUE(Decode(AssemblePng({}, absl::string_view("\0\1\2\3", 4), chunks), {}, {}).ok());
}

// Repeating the first scan of a progressive file makes each repetition cost a walk over the whole image.
TEST(BombTest, ProgressiveFilesOfThousandsOfScans) {
  std::string bytes = MakeJpeg(Waves(64, 64), {.progressive = true});
  const size_t scan = bytes.find("\xFF\xDA");
  const size_t next = bytes.find("\xFF\xC4", scan);
  ASSERT_NE(next, std::string::npos);
  const std::string first = bytes.substr(scan, next - scan);
  std::string repeated;
  for (int i = 0; i < 3000; ++i) repeated += first;
  bytes.insert(next, repeated);
  ExpectRefused(bytes, "IMAGE_CORRUPT");
}

TEST(BombTest, LargeAndDeepExif) {
  JpegOptions options;
  options.markers.assign(200, {0xE1, MakeExif(6, true, 5000).substr(0, 65000)});
  EXPECT_TRUE(Decode(MakeJpeg(Waves(16, 16), options), {}, {}).ok());
  const std::string tiff = MakeTiff(6, true, 60000);
  const absl::StatusOr<Header> header = ReadHeader(MakePng(Waves(4, 4), false, tiff), {});
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->orientation, 6);
}

TEST(BombTest, AnimatedWebp) {
  const std::string picture = MakeWebp(Waves(8, 8), 0).substr(12);
  const std::string frame = WebpChunk("ANMF", absl::StrCat(std::string(16, '\0'), picture));
  const std::string bytes =
      AssembleWebp(8, 8, 0x02, absl::StrCat(WebpChunk("ANIM", std::string(6, '\0')), frame, frame, frame));
  ExpectRefused(bytes, "IMAGE_ANIMATED");
}

}  // namespace
}  // namespace sightline::image
