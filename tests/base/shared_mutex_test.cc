#include "base/shared_mutex.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace sightline::base {
namespace {

constexpr std::chrono::milliseconds kShort{20};
constexpr std::chrono::minutes kLong{1};

TEST(SharedMutexTest, ManyHoldItSharedAndNobodyIsAloneMeanwhile) {
  SharedMutex mutex;
  mutex.LockShared();
  EXPECT_TRUE(mutex.TryLockShared());
  EXPECT_FALSE(mutex.TryLockFor(kShort));
  mutex.UnlockShared();
  EXPECT_FALSE(mutex.TryLockFor(kShort));
  // Who gave up waiting keeps nobody out.
  EXPECT_TRUE(mutex.TryLockShared());
  mutex.UnlockShared();
  mutex.UnlockShared();
  ASSERT_TRUE(mutex.TryLockFor(kShort));
  EXPECT_FALSE(mutex.TryLockShared());
  EXPECT_FALSE(mutex.TryLockFor(kShort));
  mutex.Unlock();
  EXPECT_TRUE(mutex.TryLockShared());
  mutex.UnlockShared();
}

TEST(SharedMutexTest, AStreamOfReadersDoesNotKeepOneOutWhoWantsToBeAlone) {
  SharedMutex mutex;
  std::atomic<bool> stop = false;
  int value = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        mutex.LockShared();
        EXPECT_GE(value, 0);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        mutex.UnlockShared();
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    if (!mutex.TryLockFor(kLong)) {
      ADD_FAILURE() << "never alone";
      break;
    }
    value = -1;
    value = i;
    mutex.Unlock();
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace sightline::base
