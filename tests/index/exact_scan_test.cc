// Exact scans against the plain way: every row scored in full precision, and sorted.
#include "index/ann/exact_scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/thread_pool.h"
#include "index/kernels/inner_product.h"
#include "index/kernels/scan_query.h"
#include "tests/index/memory_source.h"
#include "tests/index/simd_levels.h"
#include "tests/support/seed.h"

namespace sightline::index {
namespace {

constexpr float kInfiniteScore = std::numeric_limits<float>::infinity();

using Rows = MemorySource::Rows;

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}

  size_t Below(size_t limit) { return engine_() % limit; }
  std::vector<float> Vector(size_t dim, float deviation = 1) {
    std::normal_distribution<float> normal(0, deviation);
    std::vector<float> vector(dim);
    for (float& value : vector) value = normal(engine_);
    return vector;
  }
  std::vector<float> Unit(size_t dim) { return Normalised(Vector(dim)); }
  std::vector<float> Near(const std::vector<float>& centre, float distance) {
    std::vector<float> vector = Vector(centre.size(), distance / std::sqrt(static_cast<float>(centre.size())));
    for (size_t i = 0; i < vector.size(); ++i) vector[i] += centre[i];
    return Normalised(std::move(vector));
  }

 private:
  static std::vector<float> Normalised(std::vector<float> vector) {
    const double norm = std::sqrt(kernels::InnerProductReference(vector.data(), vector.data(), vector.size()));
    for (float& value : vector) value = static_cast<float>(value / norm);
    return vector;
  }

  std::mt19937 engine_;
};

struct Data {
  std::string name;
  Rows rows;
};

std::vector<Data> DataOf(Random& random, size_t dim, size_t count) {
  std::vector<Data> data;
  data.push_back({"random", {}});
  for (size_t i = 0; i < count; ++i) data.back().rows.push_back(random.Unit(dim));

  data.push_back({"clustered", {}});
  Rows centres;
  for (int i = 0; i < 5; ++i) centres.push_back(random.Unit(dim));
  for (size_t i = 0; i < count; ++i) data.back().rows.push_back(random.Near(centres[random.Below(5)], 0.05f));

  data.push_back({"duplicates", {}});
  for (size_t i = 0; i < count; ++i) data.back().rows.push_back(centres[random.Below(5)]);

  data.push_back({"zeros", Rows(count, std::vector<float>(dim, 0))});

  // Not normalised, and with rows that have no code.
  data.push_back({"wild", {}});
  for (size_t i = 0; i < count; ++i) {
    std::vector<float> row = random.Vector(dim, std::pow(10.0f, static_cast<float>(random.Below(9)) - 4));
    if (random.Below(10) == 0) row[random.Below(dim)] = random.Below(2) == 0 ? kInfiniteScore : -kInfiniteScore;
    if (random.Below(10) == 0) row[random.Below(dim)] = std::nanf("");
    if (random.Below(10) == 0) row.assign(dim, 1e-44f);
    data.back().rows.push_back(std::move(row));
  }
  return data;
}

std::vector<ScoredRow> BestOf(const Rows& rows, const std::vector<uint32_t>& among, const ScanRequest& request) {
  std::vector<ScoredRow> best;
  for (const uint32_t row : among) {
    if (request.visible && !request.visible(row)) continue;
    float score = 0;
    kernels::InnerProducts(request.query, rows[row].data(), rows[row].size(), rows[row].size(), 1, &score);
    double exact = 0, magnitude = 0;
    for (size_t i = 0; i < rows[row].size(); ++i) {
      const double product = static_cast<double>(request.query[i]) * rows[row][i];
      exact += product;
      magnitude += std::abs(product);
    }
    if (std::isfinite(magnitude)) {
      EXPECT_NEAR(score, exact, 2e-6 * magnitude + 1e-30);
    }
    if (score >= request.min_score) best.push_back({score, row});
  }
  std::sort(best.begin(), best.end(), Better);
  best.resize(std::min(best.size(), request.k));
  return best;
}

std::vector<uint32_t> RangeOf(uint32_t begin, uint32_t end) {
  std::vector<uint32_t> rows;
  for (uint32_t row = begin; row < end; ++row) rows.push_back(row);
  return rows;
}

void ExpectSame(const ScanResult& result, const std::vector<ScoredRow>& expected) {
  EXPECT_FALSE(result.cancelled);
  ASSERT_EQ(result.best.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(result.best[i].row, expected[i].row) << "place " << i;
    ASSERT_EQ(result.best[i].score, expected[i].score) << "place " << i;
  }
}

// Everything a scan needs of one set of rows, in both forms.
class Scanned {
 public:
  explicit Scanned(const Rows& rows)
      : rows_(rows),
        dim_(rows.front().size()),
        source_(rows),
        codes_(kernels::CodeLayout(dim_), /*chunk_rows=*/128, /*max_rows=*/4096) {
    for (uint32_t row = 0; row < rows.size(); ++row) {
      kernels::EncodeRow(codes_.layout(), rows[row].data(), codes_.MutableRow(row));
      floats_.insert(floats_.end(), rows[row].begin(), rows[row].end());
    }
  }

  void Check(uint32_t begin, uint32_t end, const std::vector<ScanRequest>& requests, const ScanRun& run) {
    const std::vector<uint32_t> range = RangeOf(begin, end);
    std::vector<uint32_t> list;
    for (const uint32_t row : range) {
      if (row % 3 != 1) list.push_back(row);
    }
    const FloatRows floats{floats_.data(), dim_, dim_};
    const std::vector<ScanResult> by_codes = ScanCodesBlock(codes_, begin, end, requests, source_, run);
    const std::vector<ScanResult> by_floats = ScanFloatsBlock(floats, begin, end, requests, run);
    for (size_t q = 0; q < requests.size(); ++q) {
      SCOPED_TRACE(absl::StrCat("query ", q, " rows ", begin, " to ", end, " k ", requests[q].k));
      const std::vector<ScoredRow> expected = BestOf(rows_, range, requests[q]);
      ExpectSame(by_codes[q], expected);
      ExpectSame(by_floats[q], expected);
      EXPECT_EQ(by_codes[q].compared, static_cast<int64_t>(range.size()));
      EXPECT_LE(by_codes[q].rescored, by_codes[q].compared);
      ExpectSame(ScanCodes(codes_, begin, end, requests[q], source_, run), expected);
      ExpectSame(ScanFloats(floats, begin, end, requests[q], run), expected);
      ExpectSame(ScanCodesAt(codes_, list, requests[q], source_, run), BestOf(rows_, list, requests[q]));
    }
  }

  const CodeTable& codes() const { return codes_; }
  MemorySource& source() { return source_; }

 private:
  const Rows& rows_;
  const size_t dim_;
  MemorySource source_;
  CodeTable codes_;
  std::vector<float> floats_;
};

TEST(ExactScanTest, FindsWhatComparingWithEveryRowFinds) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  Random random(seed);
  base::ThreadPool pool({.name = "scan", .threads = 2, .on_thread_start = {}});
  for (const size_t dim : {1, 3, 7, 56, 57, 64, 200}) {
    for (const Data& data : DataOf(random, dim, 300 + random.Below(400))) {
      SCOPED_TRACE(absl::StrCat(data.name, " dim ", dim));
      const uint32_t count = static_cast<uint32_t>(data.rows.size());
      Scanned scanned(data.rows);
      std::vector<std::vector<float>> queries;
      for (int i = 0; i < 3; ++i) queries.push_back(random.Unit(dim));
      queries.push_back(data.rows[random.Below(count)]);
      queries.push_back(std::vector<float>(dim, 0));
      queries.push_back(random.Vector(dim, 1000));
      std::vector<ScanRequest> requests;
      for (const std::vector<float>& query : queries) {
        ScanRequest request{.query = query.data(), .k = 1 + random.Below(20)};
        if (random.Below(4) == 0) request.k = count + 10;
        if (random.Below(3) == 0) request.min_score = 0.1f;
        if (random.Below(2) == 0) {
          const size_t of = 1 + random.Below(5);
          request.visible = [of](uint32_t row) { return row * 2654435761u % of == 0; };
        }
        requests.push_back(std::move(request));
      }
      scanned.Check(0, count, requests, {});
      scanned.Check(static_cast<uint32_t>(random.Below(count)), count, requests, {.pool = &pool, .parts = 3});
    }
  }
}

TEST(ExactScanTest, EverySimdLevelFindsTheSame) {
  Random random(11);
  const Rows rows = DataOf(random, 100, 500)[1].rows;
  Scanned scanned(rows);
  const std::vector<float> query = random.Near(rows[17], 0.1f);
  ForEachSimdLevel([&] { scanned.Check(0, 500, {{.query = query.data(), .k = 10}}, {}); });
}

TEST(ExactScanTest, BoundsHoldTheTrueScore) {
  Random random(12);
  for (const size_t dim : {1, 7, 100, 700}) {
    for (const Data& data : DataOf(random, dim, 200)) {
      Scanned scanned(data.rows);
      const std::vector<float> query = random.Unit(dim);
      const kernels::ScanQuery scan_query(scanned.codes().layout(), query.data());
      const kernels::ScanQuery* queries[] = {&scan_query};
      ForEachSimdLevel([&] {
        for (uint32_t row = 0; row < data.rows.size(); ++row) {
          float upper = 0, lower = 0;
          kernels::ScanBounds(queries, 1, scanned.codes().Row(row), 1, &upper, &lower, 1);
          const double exact = kernels::InnerProductReference(query.data(), data.rows[row].data(), dim);
          ASSERT_FALSE(upper < exact) << data.name << " dim " << dim;
          ASSERT_FALSE(lower > exact) << data.name << " dim " << dim;
          // Not by being vague.
          if (data.name == "random" && dim == 700) {
            ASSERT_LT(upper - lower, 0.025);
          }
        }
      });
    }
  }
}

TEST(ExactScanTest, NothingToFind) {
  Random random(13);
  const Rows rows = DataOf(random, 20, 100)[0].rows;
  Scanned scanned(rows);
  const std::vector<float> query = random.Unit(20);
  const auto nothing = [&](const ScanRequest& request, uint32_t begin, uint32_t end) {
    scanned.Check(begin, end, {request}, {});
    EXPECT_THAT(ScanCodes(scanned.codes(), begin, end, request, scanned.source(), {}).best, ::testing::IsEmpty());
  };
  nothing({.query = query.data(), .k = 0}, 0, 100);
  nothing({.query = query.data(), .k = 5, .min_score = 1.5f}, 0, 100);
  nothing({.query = query.data(), .k = 5, .visible = [](uint32_t) { return false; }}, 0, 100);
  nothing({.query = query.data(), .k = 5}, 0, 0);
  nothing({.query = query.data(), .k = 5}, 50, 50);
  const std::vector<float> nan(20, std::nanf(""));
  nothing({.query = nan.data(), .k = 5}, 0, 100);
  EXPECT_THAT(ScanCodesBlock(scanned.codes(), 0, 100, {}, scanned.source(), {}), ::testing::IsEmpty());
}

TEST(ExactScanTest, ScoresFewRowsAgain) {
  Random random(14);
  Rows rows;
  for (int i = 0; i < 3000; ++i) rows.push_back(random.Unit(512));
  Scanned scanned(rows);
  const std::vector<float> query = random.Unit(512);
  const ScanResult result = ScanCodes(scanned.codes(), 0, 3000, {.query = query.data(), .k = 10}, scanned.source(), {});
  EXPECT_GE(result.rescored, 10);
  EXPECT_LE(result.rescored, 200);
}

TEST(ExactScanTest, StopsWhenCancelled) {
  Random random(15);
  const Rows rows(4000, random.Unit(3000));
  Scanned scanned(rows);
  const std::vector<float> floats(3000 * 1000, 0.5f);
  base::ThreadPool pool({.name = "scan", .threads = 2, .on_thread_start = {}});
  const ScanRequest request{.query = rows[0].data(), .k = 3};
  for (const int after : {0, 1, 3}) {
    int asked = 0;
    const auto run = [&] {
      asked = 0;
      // Helpers might do all the work before the caller asks a second time.
      return ScanRun{.pool = after == 0 ? &pool : nullptr, .parts = 2, .cancelled = [&] { return asked++ >= after; }};
    };
    EXPECT_TRUE(ScanCodes(scanned.codes(), 0, 4000, request, scanned.source(), run()).cancelled);
    EXPECT_TRUE(ScanCodesAt(scanned.codes(), RangeOf(0, 4000), request, scanned.source(), run()).cancelled);
    EXPECT_TRUE(ScanFloats({floats.data(), 3000, 3000}, 0, 1000, request, run()).cancelled);
  }
}

TEST(NotBelowTest, FindsThePlacesInOrder) {
  std::mt19937 random(16);
  for (size_t count = 0; count < 100; ++count) {
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(random() % 20);
    if (count > 3) values[random() % count] = std::nanf("");
    for (const float bar : {-kInfiniteScore, 0.0f, 10.0f, 19.0f, 20.0f, kInfiniteScore}) {
      std::vector<uint32_t> expected;
      for (uint32_t i = 0; i < count; ++i) {
        if (!(values[i] < bar)) expected.push_back(i);
      }
      ForEachSimdLevel([&] {
        std::vector<uint32_t> at(count);
        at.resize(kernels::NotBelow(values.data(), count, bar, at.data()));
        EXPECT_EQ(at, expected);
      });
    }
  }
}

}  // namespace
}  // namespace sightline::index
