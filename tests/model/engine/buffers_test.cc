#include "model/engine/buffers.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace sightline::model::engine {
namespace {

TEST(BufferPool, GivesTheSameMemoryAgain) {
  const auto pool = std::make_shared<BufferPool>();
  void* first = nullptr;
  {
    const Buffer buffer = BufferPool::Take(pool, 5 << 20);
    first = buffer.data();
  }
  const Buffer again = BufferPool::Take(pool, 4 << 20);
  EXPECT_EQ(again.data(), first);
  EXPECT_EQ(pool->held(), AllocatedSize(5 << 20));
}

TEST(BufferPool, MemoryInUseIsNobodyElses) {
  const auto pool = std::make_shared<BufferPool>();
  const Buffer a = BufferPool::Take(pool, 1000);
  Buffer b = BufferPool::Take(pool, 1000);
  EXPECT_NE(a.data(), b.data());
  const Buffer moved = std::move(b);
  const Buffer c = BufferPool::Take(pool, 1000);
  EXPECT_NE(moved.data(), c.data());
  for (const Buffer* buffer : {&a, &moved, &c}) EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % 64, 0u);
}

TEST(BufferPool, ASmallRequestDoesNotTakeALargeBuffer) {
  const auto pool = std::make_shared<BufferPool>();
  void* large = nullptr;
  { large = BufferPool::Take(pool, 64 << 20).data(); }
  EXPECT_NE(BufferPool::Take(pool, 4096).data(), large);
}

TEST(BufferPool, HoldsAtMostTwiceWhatWasInUse) {
  const auto pool = std::make_shared<BufferPool>();
  for (size_t size = 1 << 12; size <= (1 << 24); size *= 5) {
    std::vector<Buffer> buffers;
    for (int i = 0; i < 4; ++i) buffers.push_back(BufferPool::Take(pool, size));
  }
  size_t most = 0;
  for (size_t size = 1 << 12; size <= (1 << 24); size *= 5) most = 4 * AllocatedSize(size);
  EXPECT_LE(pool->held(), 2 * most);
}

TEST(BufferPool, OutlivesItsOwner) {
  auto pool = std::make_shared<BufferPool>();
  const std::weak_ptr<BufferPool> watched = pool;
  {
    const Buffer buffer = BufferPool::Take(pool, 100);
    pool.reset();
    EXPECT_FALSE(watched.expired());
    *buffer.floats() = 1;
  }
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace sightline::model::engine
