// The graph growing on several threads while it is searched on several others.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "index/ann/graph.h"
#include "tests/index/graph_fixture.h"

namespace sightline::index {
namespace {

TEST(GraphConcurrencyTest, GrowsWhileItIsSearched) {
  constexpr uint32_t kRows = 1200;
  constexpr int kThreads = 4;
  GraphData data = MakeClusters(1, 24, kRows, 12);
  // Equal rows too, so that chains grow under the searches.
  for (uint32_t row = 100; row < kRows; row += 10) {
    data.vectors[row] = data.vectors[row % 100];
    kernels::EncodeRow(data.codes->layout(), data.vectors[row].data(), data.codes->MutableRow(row));
  }
  Graph graph(*data.codes, {.m = 8, .ef_construction = 40});
  std::vector<std::atomic<bool>> inserted(kRows);
  std::atomic<uint32_t> next = 0;
  std::atomic<bool> done = false;
  std::atomic<int> missed = 0;
  std::atomic<int> looked = 0;
  RowBits some{std::vector<uint64_t>((kRows + 63) / 64, 0x0000000100000001)};
  std::vector<std::thread> writers;
  for (int i = 0; i < kThreads; ++i) {
    writers.emplace_back([&] {
      for (uint32_t row; (row = next.fetch_add(1)) < kRows;) {
        graph.Insert(row);
        inserted[row].store(true, std::memory_order_release);
      }
    });
  }
  std::vector<std::thread> readers;
  for (int i = 0; i < kThreads; ++i) {
    readers.emplace_back([&, i] {
      std::mt19937 random(static_cast<unsigned>(i));
      while (!done.load()) {
        const auto row = static_cast<uint32_t>(random() % kRows);
        const bool there = inserted[row].load(std::memory_order_acquire);
        const auto query = data.Query(data.vectors[row]);
        const auto found = graph.Search({.query = &query, .k = 30, .ef = 60, .accept = EveryRow}).best;
        for (const ScoredRow& scored : found) {
          ASSERT_EQ(scored.score,
                    kernels::Int8ScoreReference(query, data.codes->Row(static_cast<uint32_t>(scored.row))));
        }
        // A filter too, whose rows are sought two links away and among rows that are not inserted yet.
        const auto filtered =
            graph.Search({.query = &query, .k = 5, .ef = 20, .filter = &some, .accept = EveryRow}).best;
        for (const ScoredRow& scored : filtered) ASSERT_EQ(scored.row % 32, 0u);
        if (!there) continue;
        ++looked;
        if (std::none_of(found.begin(), found.end(), [&](const ScoredRow& scored) { return scored.row == row; })) {
          ++missed;
        }
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  while (looked.load() < 200) std::this_thread::yield();
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(graph.size(), kRows);
  EXPECT_LE(missed.load(), looked.load() / 50) << looked.load();
  // What was built by many threads at once answers as well as what was built by one.
  std::mt19937 random(77);
  double recall = 0;
  constexpr int kQueries = 50;
  for (int i = 0; i < kQueries; ++i) {
    const auto query = data.Query(Near(random, data.vectors[random() % kRows], 0.3F));
    recall += RecallOf(graph.Search({.query = &query, .k = 10, .ef = 100, .accept = EveryRow}).best,
                       BestOf(data, query, 10, EveryRow));
  }
  EXPECT_GE(recall / kQueries, 0.95);
}

}  // namespace
}  // namespace sightline::index
