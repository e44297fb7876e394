// The bytes of a graph: what is saved answers the same when loaded, and damaged bytes are refused.
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "index/ann/graph.h"
#include "tests/index/graph_fixture.h"
#include "tests/support/seed.h"

namespace sightline::index {
namespace {

std::string Saved(const Graph& graph, uint32_t rows) {
  std::string bytes;
  const absl::Status status = graph.Save(rows, [&](absl::string_view part) {
    absl::StrAppend(&bytes, part);
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return bytes;
}

// Rows of which some equal others, so that chains are written too.
GraphData SomeEqual(uint32_t rows) {
  std::vector<std::vector<float>> vectors = MakeClusters(2, 20, rows, 7).vectors;
  for (uint32_t row = 10; row < rows; row += 4) vectors[row] = vectors[row % 10];
  return MakeData(std::move(vectors), 64);
}

std::vector<ScoredRow> Answer(const Graph& graph, const GraphData& data, uint32_t row, size_t k) {
  const auto query = data.Query(data.vectors[row]);
  return graph.Search({.query = &query, .k = k, .ef = 30, .accept = EveryRow}).best;
}

TEST(GraphIoTest, ALoadedGraphAnswersTheSame) {
  for (const uint32_t rows : {1u, 2u, 50u, 700u}) {
    const GraphData data = SomeEqual(rows);
    const auto graph = MakeGraph(data, {.m = 6, .ef_construction = 60});
    const std::string bytes = Saved(*graph, rows);
    // The file's m holds, whatever the options say.
    const auto loaded = Graph::Load(*data.codes, {.m = 30}, bytes);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ((*loaded)->size(), rows);
    EXPECT_EQ((*loaded)->options().m, 6);
    EXPECT_EQ((*loaded)->memory_bytes(), graph->memory_bytes());
    for (uint32_t row = 0; row < rows; ++row) {
      const auto expected = Answer(*graph, data, row, 10);
      const auto found = Answer(**loaded, data, row, 10);
      ASSERT_EQ(found.size(), expected.size());
      for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].score, expected[i].score);
    }
    EXPECT_EQ(Saved(**loaded, rows), bytes);
  }
}

TEST(GraphIoTest, NoRows) {
  const GraphData data = SomeEqual(20);
  const std::string bytes = Saved(Graph(*data.codes, {}), 0);
  const auto loaded = Graph::Load(*data.codes, {}, bytes);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ((*loaded)->size(), 0u);
  EXPECT_FALSE(Graph::Load(*data.codes, {}, bytes + "x").ok());
}

TEST(GraphIoTest, ThePartSavedGrowsOn) {
  const GraphData data = SomeEqual(600);
  const auto graph = MakeGraph(data, {.m = 6, .ef_construction = 60});
  auto loaded = Graph::Load(*data.codes, {}, Saved(*graph, 450));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ((*loaded)->size(), 450u);
  for (const ScoredRow& row : Answer(**loaded, data, 500, 450)) EXPECT_LT(row.row, 450u);
  for (uint32_t row = 450; row < 600; ++row) (*loaded)->Insert(row);
  int found = 0;
  for (uint32_t row = 0; row < 600; ++row) {
    for (const ScoredRow& scored : Answer(**loaded, data, row, 200)) found += scored.row == row ? 1 : 0;
  }
  EXPECT_GE(found, 590);
}

TEST(GraphIoTest, RefusesToSaveWhatIsNotThere) {
  const GraphData data = SomeEqual(20);
  Graph graph(*data.codes, {});
  graph.Insert(0);
  const absl::Status status = graph.Save(2, [](absl::string_view) { return absl::OkStatus(); });
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  const absl::Status failing = graph.Save(1, [](absl::string_view) { return absl::UnavailableError("no"); });
  EXPECT_EQ(failing.code(), absl::StatusCode::kUnavailable);
}

// Loads what may be damaged. A graph that is accepted must be safe to search and to grow.
bool Survives(const GraphData& data, absl::string_view bytes) {
  const auto loaded = Graph::Load(*data.codes, {}, bytes);
  if (!loaded.ok()) {
    EXPECT_EQ(loaded.status().code(), absl::StatusCode::kDataLoss) << loaded.status();
    return false;
  }
  for (const uint32_t row : {0u, 7u, 19u}) {
    for (const ScoredRow& found : Answer(**loaded, data, row, 30)) EXPECT_LT(found.row, data.rows());
  }
  if ((*loaded)->size() < data.rows()) (*loaded)->Insert((*loaded)->size());
  return true;
}

TEST(GraphIoTest, RefusesEveryTruncation) {
  const GraphData data = SomeEqual(120);
  const std::string bytes = Saved(*MakeGraph(data, {.m = 3, .ef_construction = 20}), 120);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Survives(data, absl::string_view(bytes).substr(0, size))) << size;
  }
  EXPECT_FALSE(Survives(data, bytes + '\0'));
  EXPECT_TRUE(Survives(data, bytes));
}

TEST(GraphIoTest, RefusesHostileHeaders) {
  const GraphData data = SomeEqual(120);
  const std::string bytes = Saved(*MakeGraph(data, {.m = 3, .ef_construction = 20}), 120);
  for (size_t at = 0; at < 20; ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      const bool accepted = Survives(data, damaged);
      // Another entry point than the one written may be a node as well; nothing else may differ.
      EXPECT_TRUE(!accepted || at >= 16) << at << " " << bit;
    }
  }
  // Each field at its extremes.
  for (const size_t at : {8, 12, 16}) {
    for (const char fill : {'\0', '\x7F', '\xFF'}) {
      std::string damaged = bytes;
      damaged.replace(at, 4, std::string(4, fill));
      EXPECT_FALSE(Survives(data, damaged)) << at << " " << static_cast<int>(fill);
    }
  }
}

TEST(GraphIoTest, SurvivesRandomDamage) {
  const GraphData data = SomeEqual(120);
  const std::string bytes = Saved(*MakeGraph(data, {.m = 3, .ef_construction = 20}), 120);
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = bytes;
    for (size_t flips = 1 + random() % 4; flips > 0; --flips) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    Survives(data, damaged);
  }
}

}  // namespace
}  // namespace sightline::index
