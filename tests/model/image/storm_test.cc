// Thousands of hostile images at once, by the library itself: sanitizers watch it in their builds.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/status.h"
#include "model/image/decode.h"
#include "tests/model/image/hostile_images.h"
#include "tests/support/seed.h"

namespace sightline::image {
namespace {

constexpr size_t kImages = 5000;
constexpr int kThreads = 4;

TEST(StormTest, HostileImagesOnFourThreads) {
  const uint64_t seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  const std::vector<HostileImage> images = HostileImages(seed, kImages);
  ASSERT_GE(images.size(), kImages);
  std::atomic<size_t> next = 0;
  std::atomic<int> decoded = 0;
  base::Mutex mutex;
  double slowest = 0;
  std::string slowest_name;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (size_t at = next++; at < images.size(); at = next++) {
        const auto start = std::chrono::steady_clock::now();
        const absl::StatusOr<Image> image = Decode(images[at].bytes, {}, {.wanted_side = at % 2 == 0 ? 0 : 16});
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        if (image.ok()) {
          ++decoded;
          EXPECT_EQ(image->rgb.size(), size_t{3} * image->width * image->height) << images[at].name;
        } else {
          const base::ErrorInfo info = base::GetErrorInfo(image.status());
          EXPECT_EQ(image.status().code(), absl::StatusCode::kInvalidArgument) << images[at].name << image.status();
          EXPECT_NE(info.reason, "UNKNOWN") << images[at].name << image.status();
          EXPECT_EQ(image.status().message().back(), '.') << images[at].name << image.status();
        }
        base::MutexLock lock(mutex);
        if (seconds > slowest) {
          slowest = seconds;
          slowest_name = images[at].name;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  // Harm that is harmless (EXIF, text, a flipped low bit of a pixel) is decoded; most is refused.
  EXPECT_GT(decoded, 50);
  EXPECT_LT(decoded, static_cast<int>(images.size() / 2));
  std::printf("%zu images, %d decoded, slowest %.0f ms: %s\n", images.size(), decoded.load(), 1e3 * slowest,
              slowest_name.c_str());
}

}  // namespace
}  // namespace sightline::image
