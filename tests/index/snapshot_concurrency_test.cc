// Snapshots while writes run, and everything that can be done with snapshots at once.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/index/snapshot_fixture.h"

namespace sightline::index {
namespace {

TEST_F(SnapshotTest, HoldsEveryWriteAcknowledgedBeforeAndEveryRecordWhole) {
  Start();
  constexpr int kWriters = 3;
  constexpr int kSnapshots = 4;
  std::array<std::atomic<int>, kWriters> acknowledged{};
  std::atomic<bool> stop = false;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      std::mt19937 random(static_cast<uint32_t>(writer));
      for (int i = 0; !stop && i < 5'000; ++i) {
        Write write = MakeWrite(absl::StrCat(writer, "-", i), RandomVector(random, 8));
        write.record.tokens = RandomTokens(random, 3, 4, 6);
        write.record.image = std::string(5'000, static_cast<char>('a' + i % 26));
        write.record.attributes = {{"number", static_cast<int64_t>(i)}};
        if (!collection_->Put(std::move(write)).ok()) return;
        acknowledged[static_cast<size_t>(writer)] = i + 1;
      }
    });
  }
  std::vector<std::pair<SnapshotInfo, std::array<int, kWriters>>> taken;
  for (int i = 0; i < kSnapshots; ++i) {
    while (acknowledged[0] < 20 * (i + 1)) std::this_thread::yield();
    std::array<int, kWriters> before;
    for (size_t writer = 0; writer < kWriters; ++writer) before[writer] = acknowledged[writer];
    taken.emplace_back(Take(), before);
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();

  for (const auto& [info, before] : taken) {
    SCOPED_TRACE(info.name);
    auto copy = database_->RestoreSnapshot(info.name, "copy", nullptr);
    ASSERT_TRUE(copy.ok()) << copy.status();
    const auto contents = Contents(**copy);
    EXPECT_EQ(static_cast<int64_t>(contents.size()), info.images);
    EXPECT_EQ(info.sequence, info.images);
    EXPECT_EQ((*copy)->Stats().sequence, info.sequence);
    size_t found = 0;
    for (size_t writer = 0; writer < kWriters; ++writer) {
      // A writer waits for each write, so what is there is all up to some point at or after the last acknowledged.
      int i = 0;
      while (contents.contains(absl::StrCat(writer, "-", i))) {
        const auto record = (*copy)->Get(absl::StrCat(writer, "-", i), RecordView::kImage);
        ASSERT_TRUE(record.ok()) << record.status();
        EXPECT_EQ(record->image, std::string(5'000, static_cast<char>('a' + i % 26)));
        ++i;
      }
      EXPECT_GE(i, before[writer]);
      found += static_cast<size_t>(i);
    }
    EXPECT_EQ(found, contents.size());
    copy->reset();
    ASSERT_TRUE(database_->Delete("copy").ok());
  }
}

TEST_F(SnapshotTest, TakingRestoringSendingAndDeletingRunAtOnce) {
  Start();
  Fill(30);
  const auto contents = Contents(*collection_);
  const SnapshotInfo first = Take();
  const std::string stream = Stream(first.name);
  constexpr int kRounds = 6;
  std::array<std::thread, 4> threads = {
      std::thread([&] {
        for (int i = 0; i < kRounds; ++i) EXPECT_FALSE(Take().name.empty());
      }),
      std::thread([&] {
        for (int i = 0; i < kRounds; ++i) {
          const auto copy = database_->RestoreSnapshot(first.name, "copy", nullptr);
          ASSERT_TRUE(copy.ok()) << copy.status();
          EXPECT_EQ(Contents(**copy), contents);
          ASSERT_TRUE(database_->Delete("copy").ok());
        }
      }),
      std::thread([&] {
        for (int i = 0; i < kRounds; ++i) {
          const auto sent = Send(*database_, stream, first.sha256, 1000);
          EXPECT_TRUE(sent.ok()) << sent.status();
        }
      }),
      std::thread([&] {
        for (int i = 0; i < 5 * kRounds; ++i) {
          const auto listed = database_->ListSnapshots("");
          ASSERT_TRUE(listed.ok()) << listed.status();
          for (const SnapshotInfo& info : *listed) {
            if (info.name == first.name) continue;
            EXPECT_TRUE(database_->DeleteSnapshot(info.name).ok()) << info.name;
          }
        }
      }),
  };
  for (std::thread& thread : threads) thread.join();
  ExpectTidy();
  // Every one had a number of its own.
  EXPECT_EQ(Take().name, absl::StrCat("snapshots/", 2 + 2 * kRounds));
  EXPECT_EQ(Contents(*collection_), contents);
}

}  // namespace
}  // namespace sightline::index
