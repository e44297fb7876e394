#include "model/image/signature.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "base/status.h"

namespace sightline::image {
namespace {

using absl::string_view;

TEST(SignatureTest, OtherTypesAreNamed) {
  const std::pair<string_view, string_view> kCases[] = {
      {"GIF89a\1\0\1\0", "a GIF image"},
      {string_view("II*\0\10\0\0\0", 8), "a TIFF image"},
      {string_view("MM\0*\0\0\0\10", 8), "a TIFF image"},
      {"BM\x36\x10", "a BMP image"},
      {string_view("\0\0\0\x18"
                   "ftypheic",
                   12),
       "a HEIC image"},
      {string_view("\0\0\0\x18"
                   "ftypavif",
                   12),
       "an AVIF image"},
      {string_view("\0\0\0\x18"
                   "ftypisom",
                   12),
       "an MP4 or QuickTime video"},
      {"%PDF-1.7", "a PDF document"},
      {"PK\x03\x04zip", "a ZIP archive"},
      {"RIFF____WAVE", "a RIFF file that is not a WebP image"},
      {"<?xml version='1.0'?><svg>", "an SVG drawing"},
      {"<!DOCTYPE html><p>", "an HTML page"},
      {"not an image\n", "text"},
      {string_view("\x01\x02\x03\x04", 4), "data of an unknown type"},
  };
  for (const auto& [bytes, name] : kCases) {
    EXPECT_FALSE(DetectFormat(bytes));
    EXPECT_EQ(DescribeContent(bytes), name);
    const absl::Status status = ReadHeader(bytes, {}).status();
    EXPECT_EQ(base::GetErrorInfo(status).reason, "IMAGE_TYPE_UNKNOWN");
    EXPECT_NE(status.message().find(name), string_view::npos) << status;
  }
}

TEST(SignatureTest, KnownFormatsAreFound) {
  EXPECT_EQ(DetectFormat("\xFF\xD8\xFF\xE0"), Format::kJpeg);
  EXPECT_EQ(DetectFormat("\x89PNG\r\n\x1A\n"), Format::kPng);
  EXPECT_EQ(DetectFormat("RIFF____WEBPVP8 "), Format::kWebp);
  EXPECT_FALSE(DetectFormat(""));
  EXPECT_FALSE(DetectFormat("\xFF\xD8"));
}

}  // namespace
}  // namespace sightline::image
