#include "model/image/signature.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace sightline::image {
namespace {

using absl::string_view;

constexpr std::pair<string_view, string_view> kSignatures[] = {
    {"GIF87a", "a GIF image"},
    {"GIF89a", "a GIF image"},
    {string_view("II*\0", 4), "a TIFF image"},
    {string_view("MM\0*", 4), "a TIFF image"},
    {string_view("II+\0", 4), "a BigTIFF image"},
    {string_view("MM\0+", 4), "a BigTIFF image"},
    {"BM", "a BMP image"},
    {string_view("\0\0\1\0", 4), "an icon file"},
    {"8BPS", "a Photoshop document"},
    {string_view("\0\0\0\x0CjP  ", 8), "a JPEG 2000 image"},
    {"\xFF\x4F\xFF\x51", "a JPEG 2000 codestream"},
    {string_view("\0\0\0\x0CJXL ", 8), "a JPEG XL image"},
    {"\xFF\x0A", "a JPEG XL codestream"},
    {"%PDF", "a PDF document"},
    {"PK\x03\x04", "a ZIP archive"},
    {"\x1F\x8B", "gzip-compressed data"},
    {"\x7F"
     "ELF",
     "a program"},
    {"RIFF", "a RIFF file that is not a WebP image"},
    {string_view("\x1A\x45\xDF\xA3", 4), "a Matroska or WebM video"},
    {"qoif", "a QOI image"},
};

// ISO base media files name their kind in the `ftyp` box: size, "ftyp", major brand.
string_view DescribeBrand(string_view brand) {
  if (brand == "avif" || brand == "avis") return "an AVIF image";
  for (string_view heif : {"heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1"}) {
    if (brand == heif) return "a HEIC image";
  }
  return "an MP4 or QuickTime video";
}

bool IsText(string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) {
    return absl::ascii_isprint(c) || absl::ascii_isspace(c) || static_cast<uint8_t>(c) >= 0x80;
  });
}

}  // namespace

std::optional<Format> DetectFormat(string_view bytes) {
  if (absl::StartsWith(bytes, "\xFF\xD8\xFF")) return Format::kJpeg;
  if (absl::StartsWith(bytes, "\x89PNG\r\n\x1A\n")) return Format::kPng;
  if (absl::StartsWith(bytes, "RIFF") && absl::ClippedSubstr(bytes, 8, 4) == "WEBP") return Format::kWebp;
  return std::nullopt;
}

string_view DescribeContent(string_view bytes) {
  for (const auto& [signature, name] : kSignatures) {
    if (absl::StartsWith(bytes, signature)) return name;
  }
  if (absl::ClippedSubstr(bytes, 4, 4) == "ftyp") return DescribeBrand(absl::ClippedSubstr(bytes, 8, 4));
  const string_view start = bytes.substr(0, std::min<size_t>(bytes.size(), 512));
  if (!IsText(start)) return "data of an unknown type";
  const std::string lower = absl::AsciiStrToLower(start);
  if (absl::StrContains(lower, "<svg")) return "an SVG drawing";
  if (absl::StrContains(lower, "<!doctype html") || absl::StrContains(lower, "<html")) return "an HTML page";
  return "text";
}

}  // namespace sightline::image
