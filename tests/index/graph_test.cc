// The graph against comparing with every row.
#include "index/ann/graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/index/graph_fixture.h"

namespace sightline::index {
namespace {

// Over queries near rows: the mean recall at k, after checking that every answer is in order, sound and free of
// repetitions.
double MeanRecall(const Graph& graph, const GraphData& data, size_t k, size_t ef,
                  const std::function<bool(uint32_t)>& passes, const RowBits* filter = nullptr) {
  std::mt19937 random(99);
  double recall = 0;
  constexpr int kQueries = 40;
  for (int i = 0; i < kQueries; ++i) {
    const auto query = data.Query(Near(random, data.vectors[random() % data.rows()], 0.3F));
    const auto found = graph.Search({.query = &query, .k = k, .ef = ef, .filter = filter, .accept = passes}).best;
    EXPECT_LE(found.size(), k);
    EXPECT_TRUE(std::is_sorted(found.begin(), found.end(), Better));
    std::set<uint64_t> once;
    for (const ScoredRow& row : found) {
      EXPECT_TRUE(once.insert(row.row).second) << row.row;
      EXPECT_TRUE(passes(static_cast<uint32_t>(row.row)));
      EXPECT_EQ(row.score, kernels::Int8ScoreReference(query, data.codes->Row(static_cast<uint32_t>(row.row))));
    }
    recall += RecallOf(found, BestOf(data, query, k, passes));
  }
  return recall / kQueries;
}

RowBits BitsOf(const GraphData& data, const std::function<bool(uint32_t)>& passes) {
  RowBits bits{std::vector<uint64_t>((data.rows() + 63) / 64)};
  for (uint32_t row = 0; row < data.rows(); ++row) {
    if (passes(row)) bits.words[row / 64] |= uint64_t{1} << (row % 64);
  }
  return bits;
}

double FilteredRecall(const Graph& graph, const GraphData& data, const std::function<bool(uint32_t)>& passes) {
  const RowBits bits = BitsOf(data, passes);
  return MeanRecall(graph, data, 10, 100, passes, &bits);
}

TEST(GraphTest, FindsWhatComparingWithEveryRowFinds) {
  struct Case {
    size_t dim;
    uint32_t rows;
    uint32_t clusters;
    size_t ef;
    double recall;
  };
  // Random directions in many dimensions are the hardest data there is; real descriptors are far easier.
  const Case cases[] = {{3, 2000, 1, 100, 0.99},    {64, 3000, 1, 300, 0.95},  {64, 3000, 30, 100, 0.97},
                        {100, 3000, 10, 100, 0.97}, {1536, 400, 1, 200, 0.97}, {1536, 400, 8, 100, 0.97}};
  for (const Case& at : cases) {
    SCOPED_TRACE(absl::StrCat("dim ", at.dim, " rows ", at.rows, " clusters ", at.clusters));
    const GraphData data = MakeClusters(7, at.dim, at.rows, at.clusters);
    const auto graph = MakeGraph(data);
    EXPECT_EQ(graph->size(), at.rows);
    EXPECT_GE(MeanRecall(*graph, data, 10, at.ef, EveryRow), at.recall);
    EXPECT_GE(MeanRecall(*graph, data, 1, at.ef, EveryRow), at.recall);
  }
}

TEST(GraphTest, ReturnsAllOfAFewRows) {
  for (const uint32_t rows : {1u, 2u, 3u, 17u, 40u}) {
    for (const size_t dim : {1, 3, 64}) {
      const GraphData data = MakeClusters(rows, dim, rows, 1);
      const auto graph = MakeGraph(data);
      EXPECT_EQ(MeanRecall(*graph, data, 100, 0, EveryRow), 1);
      EXPECT_EQ(MeanRecall(*graph, data, rows, 0, EveryRow), 1);
    }
  }
}

TEST(GraphTest, EmptyAndNothingAskedFor) {
  const GraphData data = MakeClusters(1, 8, 10, 1);
  const Graph empty(*data.codes, {});
  const auto query = data.Query(data.vectors[0]);
  EXPECT_TRUE(empty.Search({.query = &query, .k = 5, .ef = 10, .accept = EveryRow}).best.empty());
  EXPECT_EQ(empty.size(), 0u);
  EXPECT_EQ(empty.memory_bytes(), 0);
  const auto graph = MakeGraph(data);
  EXPECT_TRUE(graph->Search({.query = &query, .k = 0, .ef = 10, .accept = EveryRow}).best.empty());
  EXPECT_GT(graph->memory_bytes(), 0);
}

TEST(GraphTest, OneDimension) {
  // Two directions only: every row equals one of two.
  const GraphData data = MakeClusters(3, 1, 500, 1);
  const auto graph = MakeGraph(data);
  EXPECT_EQ(MeanRecall(*graph, data, 10, 10, EveryRow), 1);
  EXPECT_EQ(MeanRecall(*graph, data, 400, 10, EveryRow), 1);
  EXPECT_EQ(MeanRecall(*graph, data, 1000, 10, EveryRow), 1);
}

TEST(GraphTest, EqualRowsStayReachable) {
  // 900 rows equal to one of three, among 900 others.
  GraphData others = MakeClusters(5, 48, 900, 9);
  std::vector<std::vector<float>> vectors = others.vectors;
  std::mt19937 random(5);
  for (int i = 0; i < 900; ++i) vectors.push_back(others.vectors[random() % 3]);
  std::shuffle(vectors.begin(), vectors.end(), random);
  const GraphData data = MakeData(std::move(vectors));
  const auto graph = MakeGraph(data);
  for (int original = 0; original < 3; ++original) {
    const auto query = data.Query(others.vectors[static_cast<size_t>(original)]);
    std::vector<uint32_t> equal;
    for (uint32_t row = 0; row < data.rows(); ++row) {
      if (data.vectors[row] == others.vectors[static_cast<size_t>(original)]) equal.push_back(row);
    }
    ASSERT_GT(equal.size(), 100u);
    const auto found = graph->Search({.query = &query, .k = equal.size(), .ef = 50, .accept = EveryRow}).best;
    EXPECT_EQ(RecallOf(found, BestOf(data, query, equal.size(), EveryRow)), 1);
    // Each alone, whether it is the node or hangs on it.
    for (const uint32_t only : equal) {
      const auto is_it = [&](uint32_t row) { return row == only; };
      const auto one = graph->Search({.query = &query, .k = 5, .ef = 50, .accept = is_it}).best;
      ASSERT_EQ(one.size(), 1u);
      EXPECT_EQ(one[0].row, only);
      const RowBits bits = BitsOf(data, is_it);
      const auto filtered =
          graph->Search({.query = &query, .k = 5, .ef = 50, .filter = &bits, .accept = EveryRow}).best;
      ASSERT_EQ(filtered.size(), 1u);
      EXPECT_EQ(filtered[0].row, only);
    }
  }
  EXPECT_GE(MeanRecall(*graph, data, 10, 100, EveryRow), 0.97);
}

TEST(GraphTest, NearlyEqualRowsDoNotHideTheOthers) {
  // Half of the rows lie within a thousandth of one another.
  GraphData others = MakeClusters(6, 48, 800, 8);
  std::vector<std::vector<float>> vectors = others.vectors;
  std::mt19937 random(6);
  for (int i = 0; i < 800; ++i) vectors.push_back(Near(random, others.vectors[0], 0.001F));
  for (const bool shuffled : {false, true}) {
    if (shuffled) std::shuffle(vectors.begin(), vectors.end(), random);
    const GraphData data = MakeData(vectors);
    const auto graph = MakeGraph(data);
    EXPECT_GE(MeanRecall(*graph, data, 10, 100, EveryRow), 0.97) << shuffled;
  }
}

TEST(GraphTest, DeadRowsLeadOnButAreNotReturned) {
  const GraphData data = MakeClusters(8, 32, 3000, 20);
  const auto graph = MakeGraph(data);
  EXPECT_GE(MeanRecall(*graph, data, 10, 100, [](uint32_t row) { return row % 5 != 0; }), 0.97);
  EXPECT_GE(MeanRecall(*graph, data, 10, 100, [](uint32_t row) { return row % 5 == 0; }), 0.97);
  // A whole cluster died: searches within it find the next one.
  EXPECT_GE(MeanRecall(*graph, data, 10, 100, [&](uint32_t row) { return data.cluster[row] != 3; }), 0.97);
  EXPECT_EQ(MeanRecall(*graph, data, 10, 100, [](uint32_t) { return false; }), 1);
}

TEST(GraphTest, FiltersAtEverySelectivity) {
  const GraphData data = MakeClusters(9, 32, 5000, 50);
  const auto graph = MakeGraph(data);
  const double unfiltered = MeanRecall(*graph, data, 10, 100, EveryRow);
  EXPECT_GE(unfiltered, 0.97);
  for (const uint32_t one_of : {1, 2, 3, 10, 30, 100, 1000}) {
    SCOPED_TRACE(absl::StrCat("one row of ", one_of));
    EXPECT_GE(FilteredRecall(*graph, data, [&](uint32_t row) { return row * 2654435761u % one_of == 0; }),
              unfiltered - 0.01);
  }
  for (const uint32_t clusters : {25, 5, 1}) {
    // Most queries are far from every row that passes.
    SCOPED_TRACE(absl::StrCat(clusters, " of 50 clusters"));
    EXPECT_GE(FilteredRecall(*graph, data, [&](uint32_t row) { return data.cluster[row] < clusters; }),
              unfiltered - 0.01);
  }
  EXPECT_EQ(FilteredRecall(*graph, data, [](uint32_t) { return false; }), 1);
}

TEST(GraphTest, FilterAndDeadTogether) {
  const GraphData data = MakeClusters(10, 32, 3000, 20);
  const auto graph = MakeGraph(data);
  const RowBits bits = BitsOf(data, [](uint32_t row) { return row % 3 == 0; });
  EXPECT_GE(MeanRecall(
                *graph, data, 10, 100, [](uint32_t row) { return row % 15 == 0; }, nullptr),
            0.97);
  std::mt19937 random(1);
  for (int i = 0; i < 20; ++i) {
    const auto query = data.Query(data.vectors[random() % data.rows()]);
    const auto alive = [](uint32_t row) { return row % 5 == 0; };
    const auto found = graph->Search({.query = &query, .k = 10, .ef = 100, .filter = &bits, .accept = alive}).best;
    ASSERT_EQ(found.size(), 10u);
    for (const ScoredRow& row : found) EXPECT_EQ(row.row % 15, 0u);
  }
}

TEST(GraphTest, StopsWhenCancelledOrTooLong) {
  const GraphData data = MakeClusters(11, 16, 4000, 1);
  const auto graph = MakeGraph(data);
  const auto query = data.Query(data.vectors[0]);
  const std::function<bool()> yes = [] { return true; };
  const auto cancelled = graph->Search({.query = &query, .k = 1000, .ef = 1000, .accept = EveryRow, .cancelled = &yes});
  EXPECT_TRUE(cancelled.cancelled);
  EXPECT_FALSE(cancelled.gave_up);
  const auto full = graph->Search({.query = &query, .k = 1000, .ef = 1000, .accept = EveryRow});
  EXPECT_FALSE(full.cancelled || full.gave_up);
  const auto bounded =
      graph->Search({.query = &query, .k = 1000, .ef = 1000, .accept = EveryRow, .max_compared = 1000});
  EXPECT_TRUE(bounded.gave_up);
  EXPECT_FALSE(bounded.cancelled);
  EXPECT_LT(bounded.compared, full.compared);
}

TEST(GraphTest, RowsInAnyOrder) {
  const GraphData data = MakeClusters(12, 24, 1500, 10);
  std::vector<uint32_t> order(data.rows());
  for (uint32_t row = 0; row < data.rows(); ++row) order[row] = row;
  std::shuffle(order.begin(), order.end(), std::mt19937(3));
  Graph graph(*data.codes, {.m = 8, .ef_construction = 100});
  for (const uint32_t row : order) graph.Insert(row);
  EXPECT_GE(MeanRecall(graph, data, 10, 100, EveryRow), 0.97);
}

}  // namespace
}  // namespace sightline::index
