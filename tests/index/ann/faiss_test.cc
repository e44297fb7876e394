// What FAISS trains: the centroids of inverted lists and product quantisers. Not for ThreadSanitizer, which does not
// know the OpenMP runtime.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/ann/ivf.h"
#include "index/ann/pq_codes.h"
#include "tests/index/ann/ivf_fixture.h"

namespace sightline::index {
namespace {

constexpr size_t kDim = 64;
constexpr uint32_t kRows = 20'000;
constexpr size_t kQueries = 100;
constexpr float kNoise = 0.7f;

bool Any(uint32_t) { return true; }

class FaissTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::mt19937 random(21);
    data_ = std::make_unique<CodedRows>(random, 300, kRows, kDim, kNoise);
    data_->EncodeAll();
    queries_ = data_->clusters.Members(random, kQueries, kNoise);
    std::vector<uint64_t> all(kRows);
    std::iota(all.begin(), all.end(), 0);
    for (size_t q = 0; q < kQueries; ++q) exact_.push_back(BestInFull(data_->clusters, Query(q), all, 10));
  }
  static void TearDownTestSuite() {
    data_.reset();
    exact_.clear();
  }

  static const float* Query(size_t q) { return queries_.data() + q * kDim; }

  // Recall at 10 of what `search` finds, re-scored in full precision.
  template <typename Search>
  static double MeanRecall(const Search& search) {
    double sum = 0;
    for (size_t q = 0; q < kQueries; ++q) {
      sum += Recall(exact_[q], BestInFull(data_->clusters, Query(q), RowsOf(search(Query(q))), 10));
    }
    return sum / kQueries;
  }

  static std::unique_ptr<CodedRows> data_;
  static std::vector<float> queries_;
  static std::vector<std::vector<uint64_t>> exact_;
};

std::unique_ptr<CodedRows> FaissTest::data_;
std::vector<float> FaissTest::queries_;
std::vector<std::vector<uint64_t>> FaissTest::exact_;

TEST_F(FaissTest, TrainedListsReachTheRecallWithTheDefaults) {
  const size_t lists = CoarseQuantizer::DefaultLists(kRows);
  auto quantizer =
      CoarseQuantizer::Train(data_->clusters.rows, kDim, {.lists = lists, .iterations = 4, .cancelled = {}});
  ASSERT_TRUE(quantizer.ok()) << quantizer.status();
  auto ivf = Ivf::Create(data_->codes, *quantizer);
  ASSERT_TRUE(ivf.ok()) << ivf.status();
  (*ivf)->Insert(0, kRows);
  int64_t compared = 0;
  const double recall = MeanRecall([&](const float* vector) {
    const kernels::Int8Query query(data_->codes.layout(), vector);
    const Ivf::Result found = (*ivf)->Search({.query = &query, .k = 40, .accept = Any});
    compared += found.compared;
    return found.best;
  });
  RecordProperty("recall", std::to_string(recall));
  RecordProperty("compared", std::to_string(compared / static_cast<int64_t>(kQueries)));
  EXPECT_GE(recall, 0.95);
  EXPECT_LT(compared / static_cast<int64_t>(kQueries), kRows / 8);

  // Under a filter recall stays.
  for (const uint32_t every : {2, 10, 100}) {
    RowBits filter{std::vector<uint64_t>((kRows + 63) / 64)};
    std::vector<uint64_t> passing;
    for (uint32_t row = 0; row < kRows; ++row) {
      if (row * 2654435761u % every != 0) continue;
      filter.words[row / 64] |= uint64_t{1} << row % 64;
      passing.push_back(row);
    }
    double filtered = 0;
    for (size_t q = 0; q < kQueries; ++q) {
      const kernels::Int8Query query(data_->codes.layout(), Query(q));
      const Ivf::Result found = (*ivf)->Search({.query = &query, .k = 40, .filter = &filter, .accept = Any});
      filtered += Recall(BestInFull(data_->clusters, Query(q), passing, 10),
                         BestInFull(data_->clusters, Query(q), RowsOf(found.best), 10));
    }
    RecordProperty(absl::StrCat("recall_1_in_", every), std::to_string(filtered / kQueries));
    EXPECT_GE(filtered / kQueries, recall - 0.01) << every;
  }
}

TEST_F(FaissTest, TrainingRefusesWhatItCannotDoAndCanBeCancelled) {
  const auto reason = [](const std::vector<float>& sample, const CoarseQuantizer::TrainOptions& options) {
    return base::GetErrorInfo(CoarseQuantizer::Train(sample, 4, options).status()).reason;
  };
  std::mt19937 random(22);
  std::vector<float> sample = UnitRows(random, 20, 4);
  EXPECT_EQ(reason(sample, {.lists = 0, .cancelled = {}}), "IVF_LISTS_INVALID");
  EXPECT_EQ(reason(sample, {.lists = CoarseQuantizer::kMaxLists + 1, .cancelled = {}}), "IVF_LISTS_INVALID");
  EXPECT_EQ(reason(sample, {.lists = 21, .cancelled = {}}), "IVF_SAMPLE_TOO_SMALL");
  EXPECT_EQ(reason({}, {.lists = 1, .cancelled = {}}), "IVF_SAMPLE_TOO_SMALL");
  EXPECT_EQ(reason(sample, {.lists = 2, .cancelled = [] { return true; }}), "CANCELLED");
  EXPECT_EQ(reason(sample, {.lists = 20, .cancelled = {}}), "UNKNOWN");  // OK: as many lists as rows
  // All equal: k-means has empty clusters to deal with.
  const std::vector<float> equal(80, 0.5f);
  EXPECT_TRUE(CoarseQuantizer::Train(equal, 4, {.lists = 5, .cancelled = {}}).ok());
  sample[7] = std::nanf("");
  EXPECT_EQ(reason(sample, {.lists = 2, .cancelled = {}}), "CENTROIDS_INVALID");
}

TEST_F(FaissTest, ProductCodesChooseTheRightCandidates) {
  auto quantizer = ProductQuantizer::Train(data_->clusters.rows, kDim, {.iterations = 5});
  ASSERT_TRUE(quantizer.ok()) << quantizer.status();
  EXPECT_EQ((*quantizer)->code_bytes(), kDim / 8);
  PqCodes codes(*quantizer, 4096, kRows);
  for (uint32_t row = 0; row < kRows; ++row) codes.Set(row, data_->clusters.Row(row));
  // Eight bytes a row, in whole chunks.
  EXPECT_EQ(codes.memory_bytes(), (kRows + 4095) / 4096 * 4096 * 8);
  const double recall = MeanRecall(
      [&](const float* query) { return codes.Search({.query = query, .k = 200, .rows = kRows, .accept = Any}).best; });
  RecordProperty("recall", std::to_string(recall));
  EXPECT_GE(recall, 0.9);
}

// A segment without int8 codes in memory: lists lead to rows, product codes score them.
TEST_F(FaissTest, InvertedListsOverProductCodes) {
  auto coarse = CoarseQuantizer::Train(data_->clusters.rows, kDim, {.lists = 200, .iterations = 3, .cancelled = {}});
  ASSERT_TRUE(coarse.ok()) << coarse.status();
  auto quantizer = ProductQuantizer::Train(data_->clusters.rows, kDim, {.iterations = 3});
  ASSERT_TRUE(quantizer.ok()) << quantizer.status();
  const CodeTable none(kernels::CodeLayout(kDim), 1024, kRows);
  auto ivf = Ivf::Create(none, *coarse);
  ASSERT_TRUE(ivf.ok()) << ivf.status();
  PqCodes codes(*quantizer, 4096, kRows);
  for (uint32_t row = 0; row < kRows; ++row) {
    codes.Set(row, data_->clusters.Row(row));
    (*ivf)->Insert(row, data_->codes.Row(row));
  }
  const auto search = [&](const float* vector, size_t nprobe) {
    const kernels::Int8Query query(none.layout(), vector);
    const std::vector<float> table = (*quantizer)->Table(vector);
    const std::function<void(absl::Span<const uint32_t>, float*)> scores =
        [&](absl::Span<const uint32_t> rows, float* out) { codes.Scores(table.data(), rows, out); };
    return (*ivf)->Search({.query = &query, .k = 200, .nprobe = nprobe, .accept = Any, .scores = &scores});
  };
  const std::vector<ScoredRow> all = search(Query(0), 200).best;
  const PqCodes::Result flat = codes.Search({.query = Query(0), .k = 200, .rows = kRows, .accept = Any});
  EXPECT_EQ(RowsOf(all), RowsOf(flat.best));
  EXPECT_GE(MeanRecall([&](const float* query) { return search(query, 16).best; }), 0.9);
}

TEST_F(FaissTest, ProductScoresAreThoseOfTheDecodedRows) {
  std::mt19937 random(23);
  for (const auto& [dim, code_bytes] :
       std::vector<std::pair<size_t, size_t>>{{8, 1}, {1, 1}, {5, 2}, {13, 4}, {16, 16}, {33, 7}, {10, 7}}) {
    SCOPED_TRACE(absl::StrCat("dim ", dim, ", bytes ", code_bytes));
    const std::vector<float> rows = UnitRows(random, 600, dim);
    auto quantizer = ProductQuantizer::Train(rows, dim, {.code_bytes = code_bytes, .iterations = 3});
    ASSERT_TRUE(quantizer.ok()) << quantizer.status();
    ASSERT_EQ((*quantizer)->code_bytes(), code_bytes);
    PqCodes codes(*quantizer, 64, 600);
    for (uint32_t row = 0; row < 600; ++row) codes.Set(row, rows.data() + row * dim);
    const std::vector<float> query = UnitRows(random, 1, dim);

    // The table of a unit vector gives one value of every centroid: the rows as their codes have them.
    std::vector<ScoredRow> expected;
    for (uint32_t row = 0; row < 590; ++row) {
      double score = 0;
      double error = 0;
      for (size_t d = 0; d < dim; ++d) {
        std::vector<float> unit(dim);
        unit[d] = 1;
        float value = 0;
        const uint8_t* code = codes.Row(row);
        (*quantizer)->Scores((*quantizer)->Table(unit.data()).data(), &code, 1, &value);
        score += static_cast<double>(value) * query[d];
        error += std::pow(value - rows[row * dim + d], 2);
      }
      EXPECT_LT(error, 1);
      if (row % 4 != 1 && row % 3 != 0) expected.push_back({static_cast<float>(score), row});
    }
    std::sort(expected.begin(), expected.end(), Better);

    RowBits filter{std::vector<uint64_t>((600 + 63) / 64)};
    for (uint32_t row = 0; row < 600; ++row) {
      if (row % 4 != 1) filter.words[row / 64] |= uint64_t{1} << row % 64;
    }
    const PqCodes::Result found =
        codes.Search({.query = query.data(), .k = 1000, .rows = 590, .filter = &filter, .accept = [](uint32_t row) {
                        return row % 3 != 0;
                      }});
    ASSERT_EQ(found.best.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found.best[i].score, expected[i].score, 1e-5);
    EXPECT_TRUE(std::is_sorted(found.best.begin(), found.best.end(), Better));
    EXPECT_EQ(found.compared, 590 - 148);
    const std::function<bool()> cancelled = [] { return true; };
    EXPECT_TRUE(
        codes.Search({.query = query.data(), .k = 5, .rows = 590, .accept = Any, .cancelled = &cancelled}).cancelled);
  }
}

TEST_F(FaissTest, ProductQuantizersComeBackAndHostileBytesDoNot) {
  std::mt19937 random(24);
  const std::vector<float> rows = UnitRows(random, 300, 13);
  auto quantizer = ProductQuantizer::Train(rows, 13, {.code_bytes = 4, .iterations = 2});
  ASSERT_TRUE(quantizer.ok()) << quantizer.status();
  auto saved = (*quantizer)->Save();
  ASSERT_TRUE(saved.ok());
  auto loaded = ProductQuantizer::Load(*saved, 13);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(*(*loaded)->Save(), *saved);
  EXPECT_EQ((*loaded)->Table(rows.data()), (*quantizer)->Table(rows.data()));
  uint8_t before[4], after[4];
  (*quantizer)->Encode(rows.data(), before);
  (*loaded)->Encode(rows.data(), after);
  EXPECT_EQ(std::string(before, before + 4), std::string(after, after + 4));

  const auto damaged = [](const std::string& bytes, size_t dim) {
    return base::GetErrorInfo(ProductQuantizer::Load(bytes, dim).status()).reason == "PQ_DAMAGED";
  };
  for (size_t size = 0; size < saved->size(); size += size < 40 ? 1 : 997) {
    EXPECT_TRUE(damaged(saved->substr(0, size), 13)) << size;
  }
  EXPECT_TRUE(damaged(*saved + '\0', 13));
  EXPECT_TRUE(damaged(*saved, 12));
  // Any bit of the header.
  for (size_t bit = 0; bit < 32 * 8; ++bit) {
    std::string bytes = *saved;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    EXPECT_TRUE(damaged(bytes, 13)) << bit;
  }
  std::string nan = *saved;
  for (size_t i = 1; i <= 4; ++i) nan[nan.size() - i] = static_cast<char>(0xFF);
  EXPECT_TRUE(damaged(nan, 13));
}

TEST_F(FaissTest, ProductQuantizersRefuseWhatTheyCannotDo) {
  std::mt19937 random(25);
  const auto reason = [](const std::vector<float>& sample, size_t dim, size_t code_bytes) {
    return base::GetErrorInfo(ProductQuantizer::Train(sample, dim, {.code_bytes = code_bytes}).status()).reason;
  };
  EXPECT_EQ(reason(UnitRows(random, 255, 8), 8, 0), "PQ_SAMPLE_TOO_SMALL");
  EXPECT_EQ(reason({}, 8, 0), "PQ_SAMPLE_TOO_SMALL");
  EXPECT_EQ(reason(UnitRows(random, 256, 8), 8, 9), "PQ_CODE_BYTES_INVALID");
  std::vector<float> infinite = UnitRows(random, 256, 8);
  infinite.back() = std::numeric_limits<float>::infinity();
  EXPECT_EQ(reason(infinite, 8, 0), "PQ_SAMPLE_INVALID");
  EXPECT_EQ(ProductQuantizer::DefaultCodeBytes(1536), 192u);
  EXPECT_EQ(ProductQuantizer::DefaultCodeBytes(3), 1u);
}

}  // namespace
}  // namespace sightline::index
