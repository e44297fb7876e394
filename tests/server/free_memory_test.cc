#include "server/free_memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "server/observe/process.h"

namespace sightline::server {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitizer = true;
#else
constexpr bool kSanitizer = false;
#endif

TEST(ReturnFreeMemoryTest, WhatAStormLeavesGoesBackToTheSystem) {
  if (kSanitizer) GTEST_SKIP() << "a sanitizer has an allocator of its own";
  constexpr int64_t kMegabyte = 1'000'000;
  // In the arena of another thread, and with something that stays behind the last of it, so that freeing alone returns
  // nothing.
  std::unique_ptr<std::vector<char>> last;
  std::thread storm([&] {
    std::vector<std::unique_ptr<std::vector<char>>> blocks;
    for (int i = 0; i < 20'000; ++i) blocks.push_back(std::make_unique<std::vector<char>>(10'000, 'x'));
    last = std::make_unique<std::vector<char>>(10'000, 'x');
  });
  storm.join();
  const int64_t before = ReadProcessUse().resident_bytes;
  EXPECT_GE(ReturnFreeMemory(int64_t{1} << 40), 150 * kMegabyte);
  EXPECT_GE(ReadProcessUse().resident_bytes, before - 50 * kMegabyte) << "less than what is worth it";
  EXPECT_GE(ReturnFreeMemory(100 * kMegabyte), 150 * kMegabyte);
  EXPECT_LE(ReadProcessUse().resident_bytes, before - 150 * kMegabyte);
}

}  // namespace
}  // namespace sightline::server
