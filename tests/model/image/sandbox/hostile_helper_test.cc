// Hostile and costly images through a helper process: none crashes it, none takes it more than its time, and the memory
// it ever held stays within 64 MiB and 8 bytes for each pixel of the image at hand.
//
// SIGHTLINE_HOSTILE_IMAGES=5000 gives it that many; 300 otherwise.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/image/memory.h"
#include "model/image/sandbox/sandboxed_decoder.h"
#include "tests/model/image/hostile_images.h"
#include "tests/support/seed.h"

namespace sightline::image {
namespace {

constexpr size_t kSubset = 300;

// The most memory a process ever had, its share of shared memory included.
int64_t PeakBytes(pid_t pid) {
  FILE* const file = std::fopen(absl::StrCat("/proc/", pid, "/status").c_str(), "r");
  if (file == nullptr) return -1;
  char line[256];
  long long kib = -1;
  while (std::fgets(line, sizeof(line), file) != nullptr && std::sscanf(line, "VmHWM: %lld", &kib) != 1) {
  }
  std::fclose(file);
  return int64_t{kib} << 10;
}

int64_t PixelsOf(const std::string& bytes) {
  const absl::StatusOr<Header> header = ReadHeader(bytes, {});
  return header.ok() ? int64_t{header->width} * header->height : 0;
}

// The peak of a process only grows: small images first, so that each is measured against its own limit.
void DecodeAll(std::vector<HostileImage> images) {
  std::stable_sort(images.begin(), images.end(),
                   [](const HostileImage& a, const HostileImage& b) { return PixelsOf(a.bytes) < PixelsOf(b.bytes); });
  auto decoder = SandboxedDecoder::Start({.program = SIGHTLINE_DECODER_PROGRAM});
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  double slowest = 0;
  std::string slowest_name;
  double fullest = 0;
  std::string fullest_name;
  for (const auto& [name, bytes] : images) {
    for (const int wanted_side : {16, 0}) {
      const auto start = std::chrono::steady_clock::now();
      const absl::Status status = (*decoder)->Decode(bytes, {}, {.wanted_side = wanted_side}).status();
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      EXPECT_TRUE(status.ok() || absl::IsInvalidArgument(status)) << name << ": " << status;
      ASSERT_EQ((*decoder)->restarts().crash, 0) << name << ": " << status;
      ASSERT_EQ((*decoder)->restarts().timeout, 0) << name << ": " << status;
      const int64_t peak = PeakBytes((*decoder)->helpers().front());
      ASSERT_GT(peak, 0);
      const int64_t limit = MemoryLimit(PixelsOf(bytes));
      EXPECT_LE(peak, limit) << name;
      if (seconds > slowest) {
        slowest = seconds;
        slowest_name = name;
      }
      if (static_cast<double>(peak) / static_cast<double>(limit) > fullest) {
        fullest = static_cast<double>(peak) / static_cast<double>(limit);
        fullest_name = absl::StrCat(name, ", ", peak >> 20, " of ", limit >> 20, " MiB");
      }
    }
  }
  std::printf("%zu images; slowest %.0f ms: %s; nearest to its limit: %s\n", images.size(), 1e3 * slowest,
              slowest_name.c_str(), fullest_name.c_str());
}

TEST(HostileHelperTest, HostileImages) {
  const uint64_t seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  size_t count = kSubset;
  if (const char* text = std::getenv("SIGHTLINE_HOSTILE_IMAGES"); text != nullptr) {
    ASSERT_TRUE(absl::SimpleAtoi(text, &count)) << "SIGHTLINE_HOSTILE_IMAGES is '" << text << "', no number";
  }
  std::vector<HostileImage> images = HostileImages(seed, count);
  // The bombs come first and stay; of the rest some, from all over.
  std::mt19937_64 random(seed);
  std::shuffle(images.begin() + static_cast<std::ptrdiff_t>(Bombs().size()), images.end(), random);
  images.resize(std::min(images.size(), count));
  DecodeAll(std::move(images));
}

TEST(HostileHelperTest, CostlyImages) { DecodeAll(CostlyImages()); }

TEST(HostileHelperTest, TablesOfAWebpAreWithinTheLimit) {
  auto decoder = SandboxedDecoder::Start({.program = SIGHTLINE_DECODER_PROGRAM});
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  const absl::Status status = (*decoder)->Decode(MakeWebpOfManyCodes(512, 512), {}, {}).status();
  EXPECT_EQ(base::GetErrorInfo(status).reason, "IMAGE_NEEDS_TOO_MUCH_MEMORY") << status;
  EXPECT_EQ((*decoder)->restarts().crash, 0);
  const absl::StatusOr<Image> few = (*decoder)->Decode(MakeWebpOfManyCodes(64, 64), {}, {});
  EXPECT_TRUE(few.ok()) << few.status();
}

}  // namespace
}  // namespace sightline::image
