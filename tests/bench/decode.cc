// `sightline-bench decode`: what it costs to decode images in a helper process instead of in the server, on real
// photographs.
#include "model/image/decode.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "model/image/encode.h"
#include "model/image/resize.h"
#include "model/image/sandbox/sandboxed_decoder.h"
#include "tests/bench/bench.h"
#include "tests/bench/report.h"

namespace sightline::bench {
namespace {

using image::Image;

constexpr int kTileWidth = 500;
constexpr int kTileHeight = 375;
constexpr int kTiles = 8;  // a side: 4000 x 3000
constexpr int kModelSide = 448;

absl::StatusOr<std::vector<std::string>> Photographs() {
  const char* folder = std::getenv("SIGHTLINE_SHARED_DATA");
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(absl::StrCat(folder == nullptr ? "." : folder, "/imagenet17"), error)) {
    if (entry.path().extension() != ".JPEG") continue;
    SIGHTLINE_ASSIGN_OR_RETURN(files.emplace_back(), base::ReadFile(entry.path(), image::Limits().max_encoded_bytes));
  }
  if (files.empty()) {
    return base::NotFound("PHOTOGRAPHS_NOT_FOUND",
                          "no photograph lies in imagenet17 of the folder SIGHTLINE_SHARED_DATA. Set it to a folder "
                          "that has them.");
  }
  return files;
}

// Real photographs side by side, each at its own resolution: the detail of a camera's picture of 12 MP.
absl::StatusOr<std::string> TwelveMegapixels(const std::vector<std::string>& files) {
  Image wall{kTileWidth * kTiles, kTileHeight * kTiles, {}, 0, 0};
  wall.rgb.resize(size_t{3} * wall.width * wall.height);
  for (int tile = 0; tile < kTiles * kTiles; ++tile) {
    SIGHTLINE_ASSIGN_OR_RETURN(const Image photo, image::Decode(files[tile % files.size()], {}, {}));
    const Image fit = image::ResizeBicubic(photo, {0, 0, photo.width, photo.height}, kTileWidth, kTileHeight);
    for (int y = 0; y < kTileHeight; ++y) {
      const size_t at = (size_t{1} * (tile / kTiles * kTileHeight + y) * wall.width + tile % kTiles * kTileWidth) * 3;
      std::copy_n(&fit.rgb[size_t{3} * kTileWidth * y], size_t{3} * kTileWidth, &wall.rgb[at]);
    }
  }
  return image::EncodeJpeg(wall, 90);
}

double MillisecondsOf(image::Decoder& decoder, const std::vector<std::string>& files, int wanted_side) {
  const auto start = std::chrono::steady_clock::now();
  for (const std::string& file : files) {
    const absl::StatusOr<Image> image = decoder.Decode(file, {}, {.wanted_side = wanted_side});
    if (!image.ok()) {
      std::fprintf(stderr, "sightline-bench: %s\n", std::string(image.status().message()).c_str());
      std::exit(1);
    }
  }
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count() /
         static_cast<double>(files.size());
}

// Turn by turn, so that both see the same machine.
void Compare(const std::string& name, image::Decoder& helper, image::Decoder& own,
             const std::vector<std::string>& files, int wanted_side, int rounds) {
  std::vector<double> of_helper;
  std::vector<double> of_own;
  MillisecondsOf(helper, files, wanted_side);
  MillisecondsOf(own, files, wanted_side);
  for (int i = 0; i < rounds; ++i) {
    of_helper.push_back(MillisecondsOf(helper, files, wanted_side));
    of_own.push_back(MillisecondsOf(own, files, wanted_side));
  }
  Row row = PlainRow("decode", name, Median(of_helper), "ms");
  row.peer = "in process";
  row.peer_value = Median(of_own);
  row.higher_is_better = false;
  Print(row);
}

absl::Status Run(bool quick) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> files, Photographs());
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string large, TwelveMegapixels(files));
  SIGHTLINE_ASSIGN_OR_RETURN(const auto helper,
                             image::SandboxedDecoder::Start({.program = image::SandboxedDecoder::DefaultProgram()}));
  const auto own = image::MakeInProcessDecoder();
  const int rounds = quick ? 9 : 41;
  Compare("JPEG of 12 MP, whole", *helper, *own, {large}, 0, rounds);
  Compare("JPEG of 12 MP, reduced for a model", *helper, *own, {large}, kModelSide, rounds);
  Compare("photographs of 0.2 MP", *helper, *own, files, kModelSide, rounds);
  return absl::OkStatus();
}

}  // namespace

int RunDecode(bool quick) {
  PrintMachine("decode");
  const absl::Status status = Run(quick);
  if (status.ok()) return 0;
  std::fprintf(stderr, "sightline-bench: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace sightline::bench
