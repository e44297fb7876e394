// Everything at once: searches, writes, deletes, updates, lists and statistics on one collection.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/index/index_fixture.h"
#include "tests/support/seed.h"

namespace sightline::index {
namespace {

constexpr int kThreads = 6;
constexpr int kSteps = 150;

class ConcurrencyTest : public IndexTest {
 protected:
  // Runs `body(thread, random)` on kThreads threads, with seeds that a failure names.
  void RunThreads(const std::function<void(int, std::mt19937&)>& body) {
    const unsigned seed = sightline::testing::Seed();
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

// Segments so small that chunks are sealed, graphs grow and are saved, and segments are replaced all the time, while
// every thread checks what it knows: its own acknowledged writes are found, by graph, exact and filtered searches
// alike, once each, and what it deleted is not.
TEST_F(ConcurrencyTest, SearchesAgreeWithAcknowledgedWritesWhileEverythingIsRearranged) {
  options_.segments = {
      .chunk_rows = 32, .segment_rows = 256, .max_dead_share = 0.2, .max_code_share = 0.25, .background = true};
  options_.build_threads = 2;
  config_.index_kind = IndexKind::kHnsw;
  Start();
  std::atomic<int64_t> expected = 0;
  RunThreads([&](int t, std::mt19937& random) {
    std::set<std::string> mine;
    for (int step = 0; step < kSteps; ++step) {
      const std::string id = absl::StrCat("t", t, "-", random() % 60);
      const auto vector = RandomVector(random, 8);
      if (random() % 4 == 0) {
        ASSERT_TRUE(collection_->Delete(absl::MakeConstSpan(&id, 1)).ok());
        mine.erase(id);
      } else {
        Write write = MakeWrite(id, vector);
        write.record.attributes = {{"thread", int64_t{t}}, {"id", id}};
        ASSERT_TRUE(collection_->Put(std::move(write)).ok());
        mine.insert(id);
      }
      SearchQuery query;
      query.descriptor = vector;
      query.top_k = 30;
      query.exact = step % 2 == 0;
      if (step % 3 == 0) query.filter = absl::StrCat("thread = ", t);
      if (step % 5 == 0) query.group_by = "thread";
      if (step % 7 == 0) query.refinement.method = Refinement::Method::kSuperGlobal;
      const auto outcome = collection_->Search(query);
      ASSERT_TRUE(outcome.ok()) << outcome.status();
      std::set<std::string> ids;
      for (const Hit& hit : outcome->hits) EXPECT_TRUE(ids.insert(hit.id).second) << hit.id << " twice";
      query = {};
      query.descriptor = vector;
      query.top_k = 1;
      query.filter = absl::StrCat("id = \"", id, "\"");
      const auto own = collection_->Search(query);
      ASSERT_TRUE(own.ok()) << own.status();
      EXPECT_EQ(own->hits.size(), mine.contains(id) ? 1u : 0u) << id;
      if (t == 0 && step % 50 == 49) {
        const absl::Status optimized = collection_->Optimize({}, nullptr);
        EXPECT_TRUE(optimized.ok()) << optimized;
      }
      if (t == 1 && step % 50 == 25) {
        const auto snapshot = database_->CreateSnapshot(config_.name, nullptr);
        EXPECT_TRUE(snapshot.ok()) << snapshot.status();
      }
      EXPECT_GE(collection_->Stats().images, static_cast<int64_t>(mine.size()));
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
