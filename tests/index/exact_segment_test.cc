// The in-memory segment and its kernels, against plain references.
#include "index/ann/exact_segment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "index/ann/top_k.h"
#include "index/kernels/inner_product.h"

namespace sightline::index {
namespace {

struct Row {
  uint64_t key;
  std::vector<float> descriptor;
};

std::vector<float> UnitVector(std::mt19937& random, int dim) {
  std::normal_distribution<float> normal;
  std::vector<float> vector(static_cast<size_t>(dim));
  double squares = 0;
  for (float& value : vector) {
    value = normal(random);
    squares += static_cast<double>(value) * value;
  }
  for (float& value : vector) value = static_cast<float>(value / std::sqrt(squares));
  return vector;
}

std::vector<std::string> Ids(const ExactSegment::Result& result) {
  std::vector<std::string> ids;
  for (const auto& match : result.matches) ids.push_back(match.id);
  return ids;
}

// Scores by the kernel one row at a time, sorted by the definition: what Search must return exactly.
std::vector<std::string> NaiveSearch(const std::vector<Row>& rows, const std::vector<float>& query, size_t k) {
  std::vector<std::pair<float, uint64_t>> scored;
  for (const Row& row : rows) {
    float score = 0;
    kernels::InnerProducts(query.data(), row.descriptor.data(), query.size(), query.size(), 1, &score);
    EXPECT_NEAR(score, kernels::InnerProductReference(query.data(), row.descriptor.data(), query.size()), 1e-5);
    scored.emplace_back(-score, row.key);
  }
  std::sort(scored.begin(), scored.end());
  std::vector<std::string> ids;
  for (size_t i = 0; i < std::min(k, scored.size()); ++i) ids.push_back(absl::StrCat(scored[i].second));
  return ids;
}

TEST(ExactSegmentTest, AgreesWithANaiveSearchUnderAddsDeletesAndTies) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (const int dim : {1, 2, 3, 7, 16, 17, 31, 33, 64, 100, 129, 1537}) {
    ExactSegment segment(dim);
    std::vector<Row> rows;
    uint64_t next_key = 1;
    for (int round = 0; round < 20; ++round) {
      std::vector<ExactSegment::Addition> added;
      std::vector<uint64_t> killed;
      for (size_t i = random() % 60; i > 0; --i) {
        // Every third row repeats another, so that there are ties.
        std::vector<float> descriptor =
            !rows.empty() && random() % 3 == 0 ? rows[random() % rows.size()].descriptor : UnitVector(random, dim);
        rows.push_back({next_key, descriptor});
        added.push_back({next_key, absl::StrCat(next_key), std::move(descriptor)});
        next_key += 1 + random() % 3;
      }
      for (size_t i = random() % 20; i > 0 && !rows.empty(); --i) {
        const size_t at = random() % rows.size();
        killed.push_back(rows[at].key);
        rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(at));
      }
      killed.push_back(next_key + 1000);  // not there: ignored
      segment.Apply(added, killed);
      const std::vector<float> query = UnitVector(random, dim);
      for (const size_t k : {size_t{1}, size_t{5}, rows.size(), rows.size() + 10}) {
        if (k == 0) continue;
        const auto result = segment.Search({.query = query.data(), .k = k, .cancelled = {}});
        EXPECT_EQ(Ids(result), NaiveSearch(rows, query, k));
        EXPECT_EQ(result.compared, static_cast<int64_t>(rows.size()));
      }
      EXPECT_EQ(segment.live(), static_cast<int64_t>(rows.size()));
    }
    const std::vector<float> query = UnitVector(random, dim);
    const auto compacted = segment.Compacted();
    EXPECT_EQ(compacted->rows(), segment.live());
    EXPECT_EQ(Ids(compacted->Search({.query = query.data(), .k = 100, .cancelled = {}})),
              Ids(segment.Search({.query = query.data(), .k = 100, .cancelled = {}})));
  }
}

TEST(ExactSegmentTest, CrossesChunksAndHonoursMinScore) {
  // 4,096 values a row make chunks of 256 rows.
  constexpr int kDim = 4096;
  std::mt19937 random(7);
  ExactSegment segment(kDim);
  std::vector<Row> rows;
  std::vector<ExactSegment::Addition> added;
  for (uint64_t key = 1; key <= 600; ++key) {
    rows.push_back({key, UnitVector(random, kDim)});
    added.push_back({key, absl::StrCat(key), rows.back().descriptor});
  }
  segment.Apply(added, {});
  for (const size_t at : {0, 255, 256, 511, 512, 599}) {
    const auto& query = rows[at].descriptor;
    EXPECT_EQ(Ids(segment.Search({.query = query.data(), .k = 20, .cancelled = {}})), NaiveSearch(rows, query, 20));
    const auto close = segment.Search({.query = query.data(), .k = 20, .min_score = 0.99f, .cancelled = {}});
    EXPECT_EQ(Ids(close), std::vector<std::string>{absl::StrCat(at + 1)});
  }
}

TEST(ExactSegmentTest, StopsWhenCancelled) {
  ExactSegment segment(4);
  const std::vector<float> vector = {1, 0, 0, 0};
  segment.Apply({{.key = 1, .id = "a", .descriptor = vector}}, {});
  const auto result = segment.Search({.query = vector.data(), .k = 1, .cancelled = [] { return true; }});
  EXPECT_TRUE(result.cancelled);
  EXPECT_TRUE(result.matches.empty());
}

// One id is written again and again: a search must find it exactly once, whichever state it sees.
TEST(ExactSegmentTest, ASearchSeesExactlyOneOfOldAndNew) {
  ExactSegment segment(16);
  std::mt19937 random(11);
  const std::vector<float> vector = UnitVector(random, 16);
  segment.Apply({{.key = 1, .id = "x", .descriptor = vector}}, {});
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::atomic<int64_t> searches = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop.load()) {
        const auto result = segment.Search({.query = vector.data(), .k = 5, .cancelled = {}});
        if (result.matches.size() != 1 || result.matches[0].id != "x") ++wrong;
        ++searches;
      }
    });
  }
  uint64_t key = 2;
  while (key < 3000 || searches.load() < 100) {
    const uint64_t old = key - 1;
    segment.Apply({{.key = key, .id = "x", .descriptor = vector}}, absl::MakeConstSpan(&old, 1));
    ++key;
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_EQ(segment.live(), 1);
}

TEST(TopKTest, KeepsTheBestAndBreaksTiesByRow) {
  TopK top(3);
  const float scores[] = {0.5f, 0.7f, 0.5f, 0.7f, std::nanf(""), 0.1f, 0.5f};
  for (uint64_t row = 0; row < 7; ++row) top.Add(scores[row], row);
  const auto best = std::move(top).Take();
  ASSERT_EQ(best.size(), 3u);
  EXPECT_EQ(best[0].row, 1u);
  EXPECT_EQ(best[1].row, 3u);
  EXPECT_EQ(best[2].row, 0u);
}

TEST(TopKTest, HandlesZeroAndTooFew) {
  TopK none(0);
  none.Add(1, 1);
  EXPECT_TRUE(std::move(none).Take().empty());
  TopK many(10, 0.5f);
  many.Add(0.5f, 1);
  many.Add(0.4f, 2);
  EXPECT_EQ(std::move(many).Take().size(), 1u);
}

}  // namespace
}  // namespace sightline::index
