// Exact search on the emulated card: its approximate answers against sums in double precision, its certified ones
// against the CPU's scores, on rows made to confuse it.
#include "index/gpu/exact_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "index/gpu/certified_scan.h"
#include "index/gpu/row_device.h"
#include "index/kernels/float16.h"
#include "index/kernels/inner_product.h"
#include "tests/gpu/emulator/emulator.h"
#include "tests/index/memory_source.h"
#include "tests/support/seed.h"

namespace sightline::index::gpu {
namespace {

using Rows = MemorySource::Rows;

class ExactRowsTest : public ::testing::Test {
 protected:
  ExactRowsTest() {
    base::SetLogLevel(base::Severity::kOff);
    seed_ = sightline::testing::Seed();
    RecordProperty("seed", std::to_string(seed_));
    random_.seed(seed_);
    emulator::SetSeed(seed_);
    device_ = *OpenRows(*OpenCard({.device = 0}), {.min_rows = 0});
  }

  std::string Seed() const { return absl::StrCat("SIGHTLINE_SEED=", seed_); }

  std::vector<float> Vector(size_t dim) {
    std::normal_distribution<float> normal;
    std::vector<float> vector(dim);
    for (float& value : vector) value = normal(random_) / std::sqrt(static_cast<float>(dim));
    return vector;
  }

  static std::vector<uint64_t> Words(const std::vector<bool>& bits) {
    std::vector<uint64_t> words((bits.size() + 63) / 64);
    for (size_t i = 0; i < bits.size(); ++i) words[i / 64] |= uint64_t{bits[i]} << i % 64;
    return words;
  }

  // Blocks of `block_rows`; those in `absent` are not on the card.
  std::shared_ptr<const RowView> Put(const Rows& rows, uint32_t block_rows, std::vector<bool>* visible,
                                     const std::vector<size_t>& absent = {}) {
    std::vector<std::shared_ptr<const RowBlock>> blocks;
    const size_t dim = rows.front().size();
    for (size_t begin = 0; begin < rows.size(); begin += block_rows) {
      const size_t end = std::min(rows.size(), begin + block_rows);
      if (std::count(absent.begin(), absent.end(), blocks.size()) > 0) {
        blocks.push_back(nullptr);
        for (size_t row = begin; row < end; ++row) (*visible)[row] = false;
        continue;
      }
      auto block = device_->MakeBlock(dim, static_cast<uint32_t>(end - begin));
      EXPECT_TRUE(block.ok()) << block.status();
      // In pieces, as upkeep does it.
      for (size_t at = begin; at < end;) {
        const size_t count = std::min(end - at, size_t{1} + random_() % 100);
        std::vector<float> values;
        for (size_t i = 0; i < count; ++i) values.insert(values.end(), rows[at + i].begin(), rows[at + i].end());
        const absl::Status appended = (*block)->Append(values.data(), static_cast<uint32_t>(count));
        EXPECT_TRUE(appended.ok()) << appended;
        at += count;
      }
      blocks.push_back(*std::move(block));
    }
    std::vector<uint64_t> words = Words(*visible);
    words.resize((blocks.size() * block_rows + 63) / 64);
    auto view = device_->MakeView(std::move(blocks), block_rows, words);
    EXPECT_TRUE(view.ok()) << view.status();
    return *std::move(view);
  }

  // What the card holds of a row.
  static std::vector<float> AsHalf(const std::vector<float>& row) {
    std::vector<float> half;
    for (const float value : row) half.push_back(kernels::FloatFromFloat16(kernels::Float16FromFloat(value)));
    return half;
  }

  // Whether `best` may be called the best of the rows that `seen` says: right scores, in order, and none left out that
  // is better by more than rounding.
  static void CheckBest(const Rows& rows, const std::vector<bool>& seen, const std::vector<float>& query, size_t wanted,
                        const std::vector<ScoredRow>& best) {
    const size_t dim = query.size();
    const double length = std::sqrt(kernels::InnerProductReference(query.data(), query.data(), dim));
    std::vector<bool> returned(rows.size());
    size_t there = 0;
    double rounding = 0;
    for (size_t row = 0; row < rows.size(); ++row) there += seen[row] ? 1 : 0;
    for (const std::vector<float>& row : rows) {
      rounding = std::max(rounding, length * std::sqrt(kernels::InnerProductReference(row.data(), row.data(), dim)) *
                                        (static_cast<double>(dim) / 32 + 24) * 0x1p-24);
    }
    ASSERT_EQ(best.size(), std::min(there, wanted));
    for (size_t i = 0; i < best.size(); ++i) {
      const auto row = static_cast<size_t>(best[i].row);
      ASSERT_LT(row, rows.size());
      ASSERT_TRUE(seen[row]) << row;
      ASSERT_FALSE(returned[row]) << row << " twice";
      returned[row] = true;
      const std::vector<float> half = AsHalf(rows[row]);
      ASSERT_NEAR(best[i].score, kernels::InnerProductReference(query.data(), half.data(), dim), rounding) << row;
      ASSERT_TRUE(i == 0 || Better(best[i - 1], best[i])) << i;
    }
    for (size_t row = 0; row < rows.size() && !best.empty(); ++row) {
      if (!seen[row] || returned[row]) continue;
      const std::vector<float> half = AsHalf(rows[row]);
      ASSERT_LE(kernels::InnerProductReference(query.data(), half.data(), dim), best.back().score + rounding) << row;
    }
  }

  std::vector<ScoredRow> Exact(const Rows& rows, const std::vector<bool>& seen, const ScanRequest& request) const {
    TopK top(request.k, request.min_score);
    for (size_t row = 0; row < rows.size(); ++row) {
      float score = 0;
      kernels::InnerProducts(request.query, rows[row].data(), rows[row].size(), rows[row].size(), 1, &score);
      if (seen[row]) top.Add(score, row);
    }
    return std::move(top).Take();
  }

  unsigned seed_ = 0;
  std::mt19937 random_;
  std::shared_ptr<RowDevice> device_;
};

void ExpectSame(const std::vector<ScoredRow>& found, const std::vector<ScoredRow>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    ASSERT_EQ(found[i].row, expected[i].row) << i;
    ASSERT_EQ(found[i].score, expected[i].score) << i;
  }
}

TEST_F(ExactRowsTest, TheBestAreFoundWhateverTheShape) {
  SCOPED_TRACE(Seed());
  const size_t dims[] = {1, 8, 24, 100, 257, 1000};
  for (int round = 0; round < 8; ++round) {
    const size_t dim = dims[static_cast<size_t>(round) % std::size(dims)], count = 1 + random_() % 1200;
    const uint32_t block_rows = 1u << (4 + random_() % 7);
    SCOPED_TRACE(absl::StrCat(count, " rows of ", dim, " in blocks of ", block_rows));
    Rows rows;
    for (size_t i = 0; i < count; ++i) rows.push_back(Vector(dim));
    std::vector<bool> visible(count);
    for (size_t i = 0; i < count; ++i) visible[i] = random_() % 10 != 0;
    const auto view = Put(rows, block_rows, &visible, {random_() % 5});
    std::vector<bool> seen = visible;
    const uint32_t end = static_cast<uint32_t>(random_() % 3 == 0 ? random_() % (count + 1) : count + random_() % 50);
    for (size_t row = end; row < count; ++row) seen[row] = false;
    std::vector<uint64_t> filter;
    if (random_() % 2 == 0) {
      for (size_t row = 0; row < count; ++row) seen[row] = seen[row] && random_() % 3 == 0;
      filter = Words(seen);
      filter.resize((end + 63) / 64);
    }
    const std::vector<float> query = Vector(dim);
    const size_t wanted = 1 + random_() % (random_() % 2 == 0 ? 20 : kMostWanted);
    const auto best = view->Best({.values = query.data(), .wanted = wanted, .end = end, .visible = filter});
    ASSERT_TRUE(best.ok()) << best.status();
    CheckBest(rows, seen, query, wanted, *best);
    if (HasFatalFailure()) return;
  }
}

// Also what sorting the buffer and raising the bar often is good for: rows that get better and better.
TEST_F(ExactRowsTest, RowsThatGetBetterAndBetterAndDuplicates) {
  SCOPED_TRACE(Seed());
  Rows rows;
  for (size_t i = 0; i < 3000; ++i) rows.push_back({static_cast<float>(i / 3) / 1024.0F, 0});
  std::vector<bool> visible(rows.size(), true);
  const auto view = Put(rows, 4096, &visible);
  const std::vector<float> query = {1, 0};
  const auto best = view->Best({.values = query.data(), .wanted = 301, .end = 3000});
  ASSERT_TRUE(best.ok()) << best.status();
  ExpectSame(*best, Exact(rows, visible, {.query = query.data(), .k = 301}));
}

// Each looks at other rows.
uint32_t End(size_t query) { return 700 - 30 * static_cast<uint32_t>(query); }

TEST_F(ExactRowsTest, SearchesThatComeTogetherShareAPass) {
  SCOPED_TRACE(Seed());
  Rows rows;
  for (size_t i = 0; i < 700; ++i) rows.push_back(Vector(40));
  std::vector<bool> visible(rows.size(), true);
  const auto view = Put(rows, 256, &visible);
  Rows queries;
  std::vector<std::vector<bool>> seen;
  std::vector<std::vector<uint64_t>> filters;
  for (size_t i = 0; i < 12; ++i) {
    queries.push_back(Vector(40));
    seen.emplace_back(rows.size(), true);
    for (size_t row = 0; row < rows.size(); ++row) seen[i][row] = row < End(i) && (i % 2 == 1 || random_() % 4 == 0);
    filters.push_back(i % 2 == 0 ? Words(seen[i]) : std::vector<uint64_t>());
  }
  const auto ask = [&](size_t i) {
    return view->Best({.values = queries[i].data(), .wanted = 10 + i, .end = End(i), .visible = filters[i]});
  };
  const int64_t before = emulator::BlocksRun();
  std::vector<std::vector<ScoredRow>> alone;
  for (size_t i = 0; i < queries.size(); ++i) alone.push_back(*ask(i));
  const int64_t one_by_one = emulator::BlocksRun() - before;
  std::vector<std::vector<ScoredRow>> together(queries.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < queries.size(); ++i) {
    threads.emplace_back([&, i] { together[i] = *ask(i); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LT(emulator::BlocksRun() - before - one_by_one, one_by_one) << "no two of them shared a pass";
  for (size_t i = 0; i < queries.size(); ++i) {
    CheckBest(rows, seen[i], queries[i], 10 + i, together[i]);
    ExpectSame(together[i], alone[i]);
    if (HasFatalFailure()) return;
  }
}

// Both need more shared memory than a block has without asking, and not as much as each other: what one of them asks
// for must not be what the other one has left.
TEST_F(ExactRowsTest, ScansOfDifferentSizesRunBesideEachOther) {
  constexpr uint32_t kRows = 4;
  std::vector<absl::Status> statuses(2);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < statuses.size(); ++i) {
    threads.emplace_back([&, i] {
      const size_t dim = 9000 + 3000 * i;
      const std::vector<float> values(kRows * dim, 0.5F);
      const auto device = *OpenRows(device_->card(), {.min_rows = 0});
      auto block = *device->MakeBlock(dim, kRows);
      statuses[i] = block->Append(values.data(), kRows);
      const std::vector<uint64_t> visible = {0xf};
      const auto view = *device->MakeView({std::move(block)}, kRows, visible);
      for (int turn = 0; turn < 20 && statuses[i].ok(); ++turn) {
        statuses[i] = view->Best({.values = values.data(), .wanted = kMostWanted, .end = kRows}).status();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : statuses) EXPECT_TRUE(status.ok()) << status;
}

struct Data {
  std::string name;
  Rows rows;
  bool certified = false;  // must be
};

TEST_F(ExactRowsTest, CertifiedAnswersAreTheCpusAndOthersAreNotGiven) {
  SCOPED_TRACE(Seed());
  constexpr size_t kDim = 48, kCount = 600;
  std::vector<Data> data(7);
  data[0] = {"random", {}, true};
  data[1] = {"near ties", {}, false};  // far nearer to each other than half precision tells
  data[2] = {"some near ties", {}, true};
  data[3] = {"duplicates", {}, false};
  data[4] = {"zeros and denormals", {}, false};  // most are within the error of the few others
  data[5] = {"huge", {}, true};
  data[6] = {"of all lengths", {}, true};
  const std::vector<float> centre = Vector(kDim);
  const auto near = [&](float distance) {
    std::vector<float> row = Vector(kDim);
    for (size_t i = 0; i < kDim; ++i) row[i] = centre[i] + distance * row[i];
    return row;
  };
  for (size_t i = 0; i < kCount; ++i) {
    data[0].rows.push_back(Vector(kDim));
    data[1].rows.push_back(near(1e-4F));
    data[2].rows.push_back(i % 50 == 0 ? near(1e-4F) : Vector(kDim));
    data[3].rows.push_back(i % 2 == 0 ? centre : Vector(kDim));
    data[4].rows.push_back(i % 3 == 0 ? std::vector<float>(kDim) : Vector(kDim));
    for (float& value : data[4].rows.back()) value *= i % 3 == 1 ? 1e-7F : i % 300 == 2 ? 1 : 1e-40F;
    data[5].rows.push_back(Vector(kDim));
    for (float& value : data[5].rows.back()) value = std::clamp(value * 1e5F, -65'504.0F, 65'504.0F);
    data[6].rows.push_back(Vector(kDim));
    for (float& value : data[6].rows.back()) value *= std::pow(10.0F, static_cast<float>(i % 9) - 6);
  }
  int misordered = 0;
  for (const Data& each : data) {
    SCOPED_TRACE(each.name);
    std::vector<bool> visible(kCount, true);
    const auto view = Put(each.rows, 512, &visible);
    MemorySource source(each.rows);
    for (int round = 0; round < 4; ++round) {
      std::vector<float> query = round % 2 == 0 ? centre : Vector(kDim);
      ScanRequest request{.query = query.data(), .k = round < 2 ? 5u : 60u};
      std::vector<bool> seen = visible;
      if (round == 3) {
        for (size_t row = 0; row < kCount; row += 4) seen[row] = false;
        request.visible = [&](uint32_t row) { return seen[row]; };
        request.min_score = 0.05F;
      }
      const std::vector<ScoredRow> expected = Exact(each.rows, seen, request);
      const auto scan = CertifiedScan(*view, kDim, kCount, {}, request, source, {});
      if (!scan.ok()) {
        ASSERT_TRUE(IsNotCertified(scan.status())) << scan.status();
        EXPECT_FALSE(each.certified) << round;
        continue;
      }
      ExpectSame(scan->best, expected);
      if (HasFatalFailure()) return;
      // What the card's own order would have given.
      const auto best = *view->Best({.values = query.data(), .wanted = request.k, .end = kCount});
      for (size_t i = 0; i < std::min(best.size(), expected.size()) && round != 3; ++i) {
        misordered += best[i].row != expected[i].row ? 1 : 0;
      }
    }
  }
  EXPECT_GT(misordered, 0) << "nothing here needed certifying";
}

// The bound is what certifies: it must hold for every row, and not be so wide that it never does.
TEST_F(ExactRowsTest, TheErrorIsBounded) {
  SCOPED_TRACE(Seed());
  double widest = 0;
  for (const size_t dim : {size_t{5}, size_t{64}, size_t{300}}) {
    Rows rows;
    for (size_t i = 0; i < 300; ++i) {
      rows.push_back(Vector(dim));
      // All values off to the same side of a half.
      for (float& value : rows.back()) {
        if (i % 3 == 0) value = (value < 0 ? -1.0F : 1.0F) * (1 + 0x1p-11F * 0.99F);
        if (i % 3 == 1) value *= 1e-6F;
      }
    }
    std::vector<bool> visible(rows.size(), true);
    const auto view = Put(rows, 512, &visible);
    for (size_t ask = 0; ask < 4; ++ask) {
      // The rounded row itself is the query that its rounding hurts most.
      const std::vector<float> query = ask < 2 ? rows[3 * ask] : Vector(dim);
      const double error = ScoreError(query.data(), dim, view->errors());
      const auto best = view->Best({.values = query.data(), .wanted = rows.size(), .end = 300});
      ASSERT_TRUE(best.ok()) << best.status();
      for (const ScoredRow& scored : *best) {
        float score = 0;
        kernels::InnerProducts(query.data(), rows[scored.row].data(), dim, dim, 1, &score);
        const double off = std::abs(static_cast<double>(score) - scored.score);
        ASSERT_LE(off, error);
        widest = std::max(widest, off / error);
      }
    }
  }
  EXPECT_GT(widest, 0.5);
  const std::vector<float> infinite = {std::numeric_limits<float>::infinity()};
  EXPECT_FALSE(std::isfinite(ScoreError(infinite.data(), 1, {.residual = 0, .norm = 1, .rounding = 0})));
  const std::vector<float> large = {3e38F};
  EXPECT_FALSE(std::isfinite(ScoreError(large.data(), 1, {.residual = 0, .norm = 10, .rounding = 0})));
}

TEST_F(ExactRowsTest, RowsThatHalvesCannotHoldAreRefused) {
  for (const float value :
       {65'505.0F, -1e6F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    auto block = *device_->MakeBlock(3, 4);
    const std::vector<float> row = {0, value, 0};
    EXPECT_EQ(base::GetErrorInfo(block->Append(row.data(), 1)).reason, "ROW_BEYOND_HALF") << value;
  }
  auto block = *device_->MakeBlock(1, 2);
  const std::vector<float> rows = {1, 2, 3};
  EXPECT_EQ(base::GetErrorInfo(block->Append(rows.data(), 3)).reason, "BLOCK_FULL");
}

}  // namespace
}  // namespace sightline::index::gpu
