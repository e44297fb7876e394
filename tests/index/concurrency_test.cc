// Everything at once: searches, writes, deletes, updates, lists and statistics on one collection.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/index/index_fixture.h"

namespace sightline::index {
namespace {

constexpr int kThreads = 6;
constexpr int kSteps = 150;

class ConcurrencyTest : public IndexTest {
 protected:
  // Runs `body(thread, random)` on kThreads threads, with seeds that a failure names.
  void RunThreads(const std::function<void(int, std::mt19937&)>& body) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&body, seed, t] {
        std::mt19937 random(seed + static_cast<unsigned>(t));
        body(t, random);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
};

TEST_F(ConcurrencyTest, EveryThreadFindsItsOwnAcknowledgedWrites) {
  Start();
  std::atomic<int64_t> expected = 0;
  RunThreads([&](int t, std::mt19937& random) {
    std::set<std::string> mine;
    for (int step = 0; step < kSteps; ++step) {
      const std::string id = absl::StrCat("t", t, "-", random() % 20);
      const auto vector = RandomVector(random, 8);
      switch (random() % 6) {
        case 0:
        case 1:
        case 2: {
          const auto result = collection_->Put(MakeWrite(id, vector));
          ASSERT_TRUE(result.ok()) << result.status();
          mine.insert(id);
          const auto hits = Search(vector, 1);
          ASSERT_EQ(hits.size(), 1u);
          EXPECT_EQ(hits[0].id, id);
          break;
        }
        case 3: {
          const auto result = collection_->Delete(absl::MakeConstSpan(&id, 1));
          ASSERT_TRUE(result.ok()) << result.status();
          EXPECT_EQ(result->deleted, static_cast<int64_t>(mine.erase(id)));
          for (const Hit& hit : Search(vector, 1000)) EXPECT_NE(hit.id, id);
          break;
        }
        case 4: {
          AttributeChange change;
          change.set = {{"step", int64_t{step}}};
          const auto result = collection_->UpdateAttributes(id, change);
          EXPECT_EQ(result.ok(), mine.contains(id)) << result.status();
          break;
        }
        default: {
          std::string token;
          std::set<std::string> listed;
          do {
            const auto page = collection_->List(7, token, RecordView::kVectors, "");
            ASSERT_TRUE(page.ok()) << page.status();
            for (const Record& record : page->records) listed.insert(record.id);
            token = page->next_page_token;
          } while (!token.empty());
          for (const std::string& own : mine) EXPECT_TRUE(listed.contains(own)) << own;
          EXPECT_GE(collection_->Stats().images, static_cast<int64_t>(mine.size()));
        }
      }
    }
    expected += static_cast<int64_t>(mine.size());
  });
  EXPECT_EQ(collection_->Stats().images, expected.load());
  Restart();
  EXPECT_EQ(collection_->Stats().images, expected.load());
}

TEST_F(ConcurrencyTest, OneRequestIdFromManyThreadsWritesOnce) {
  Start();
  std::atomic<int> fresh = 0;
  RunThreads([&](int, std::mt19937& random) {
    for (int i = 0; i < 20; ++i) {
      const auto result = collection_->Put(MakeWrite("", RandomVector(random, 8), absl::StrCat("request", i)));
      ASSERT_TRUE(result.ok()) << result.status();
      fresh += result->replayed ? 0 : 1;
    }
  });
  EXPECT_EQ(fresh.load(), 20);
  EXPECT_EQ(collection_->Stats().images, 20);
}

TEST_F(ConcurrencyTest, RefusesBeyondTheQueueAndWritesNothingOfIt) {
  options_.max_pending_writes = 4;
  Start();
  std::atomic<int> written = 0;
  std::atomic<int> refused = 0;
  RunThreads([&](int, std::mt19937& random) {
    for (int i = 0; i < kSteps; ++i) {
      collection_->PutAsync(MakeWrite("", RandomVector(random, 8)), [&](absl::StatusOr<WriteResult> result) {
        if (result.ok()) {
          ++written;
          return;
        }
        EXPECT_EQ(result.status().code(), absl::StatusCode::kResourceExhausted);
        ++refused;
      });
    }
  });
  Restart();
  EXPECT_EQ(written + refused, kThreads * kSteps);
  EXPECT_GT(refused.load(), 0);
  EXPECT_EQ(collection_->Stats().images, written.load());
}

}  // namespace
}  // namespace sightline::index
