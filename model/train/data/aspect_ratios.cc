#include <algorithm>
#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "model/image/decode.h"
#include "model/train/data/photo_file.h"
#include "model/train/data/sampler.h"

namespace sightline::train {
namespace {

// Enough for the headers of nearly every photograph, the embedded preview included; the others are read whole.
constexpr std::streamsize kHeaderBytes = 128 << 10;

absl::StatusOr<image::Header> HeaderOfFile(const std::string& path) {
  std::string start(static_cast<size_t>(kHeaderBytes), '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(start.data(), kHeaderBytes);
  start.resize(static_cast<size_t>(file.gcount()));
  absl::StatusOr<image::Header> header = image::ReadHeader(start, PhotoLimits());
  if (header.ok() || start.size() < static_cast<size_t>(kHeaderBytes)) return header;
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string whole, base::ReadFile(path, PhotoLimits().max_encoded_bytes));
  return image::ReadHeader(whole, PhotoLimits());
}

double AspectOf(const Photo& photo) {
  const absl::StatusOr<image::Header> header = HeaderOfFile(photo.path);
  if (!header.ok()) return 1;
  const UprightSize size = Upright(*header);
  const absl::StatusOr<image::PixelRect> region = RegionOf(photo, size.width, size.height, size);
  if (!region.ok()) return 1;
  return static_cast<double>(region->height) / region->width;
}

}  // namespace

std::vector<double> AspectRatios(const Dataset& dataset, int threads) {
  std::vector<double> aspects(dataset.photos.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < aspects.size(); i = next++) aspects[i] = AspectOf(dataset.photos[i]);
  };
  std::vector<std::thread> others;
  const size_t wanted = std::min(static_cast<size_t>(std::max(threads, 1)), aspects.size());
  for (size_t i = 1; i < wanted; ++i) others.emplace_back(work);
  work();
  for (std::thread& thread : others) thread.join();
  return aspects;
}

}  // namespace sightline::train
