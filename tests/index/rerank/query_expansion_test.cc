// Query expansion and augmentation against their formulas in double precision.
#include "index/rerank/query_expansion.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/kernels/inner_product.h"
#include "index/rerank/augmentation.h"
#include "tests/index/clusters.h"

namespace sightline::index::rerank {
namespace {

// L2(q + sum of weights[i] x_i).
std::vector<double> Expanded(const float* query, const DescriptorRows& rows, const std::vector<double>& weights) {
  std::vector<double> sum(query, query + rows.dim);
  double squares = 0;
  for (size_t d = 0; d < rows.dim; ++d) {
    for (size_t i = 0; i < weights.size(); ++i) sum[d] += weights[i] * rows.Row(i)[d];
    squares += sum[d] * sum[d];
  }
  for (double& value : sum) value /= std::sqrt(squares);
  return sum;
}

void ExpectNear(const std::vector<float>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t d = 0; d < actual.size(); ++d) EXPECT_NEAR(actual[d], expected[d], 1e-6) << "at " << d;
}

std::vector<float> Cosines(const float* query, const DescriptorRows& rows) {
  std::vector<float> cosines(rows.count);
  for (size_t i = 0; i < rows.count; ++i) {
    cosines[i] = static_cast<float>(kernels::InnerProductReference(query, rows.Row(i), rows.dim));
  }
  return cosines;
}

TEST(QueryExpansionTest, AgreesWithTheFormula) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (const size_t dim : {1, 2, 3, 7, 16, 33, 100, 1536}) {
    for (const size_t count : {0, 1, 2, 9, 10, 11, 60}) {
      for (const size_t neighbours : {0, 1, 10, 48, 1000}) {
        SCOPED_TRACE(absl::StrCat("dim ", dim, ", rows ", count, ", neighbours ", neighbours));
        const size_t stride = dim + random() % 3;
        const std::vector<float> query = UnitRows(random, 1, dim);
        std::vector<float> data(count * stride, 7);
        for (size_t i = 0; i < count; ++i) {
          const std::vector<float> row = UnitRows(random, 1, dim);
          // At one dimension every sum of signs could be zero, which has its own test.
          for (size_t d = 0; d < dim; ++d) data[i * stride + d] = dim == 1 ? query[0] : row[d];
        }
        const DescriptorRows rows{data.data(), count, dim, stride};
        const size_t k = std::min(neighbours, count);
        ExpectNear(ExpandAverage(query.data(), rows, neighbours),
                   Expanded(query.data(), rows, std::vector<double>(k, 1)));

        const std::vector<float> cosines = Cosines(query.data(), rows);
        for (const double alpha : {0.0, 0.5, 3.0}) {
          std::vector<double> weights;
          for (size_t i = 0; i < k; ++i) {
            weights.push_back(cosines[i] <= 0 ? 0.0 : std::pow(static_cast<double>(cosines[i]), alpha));
          }
          ExpectNear(ExpandAlphaWeighted(query.data(), rows, cosines.data(), neighbours, alpha),
                     Expanded(query.data(), rows, weights));
        }
      }
    }
  }
}

TEST(QueryExpansionTest, ResultsThatPointAwayWeighNothing) {
  const std::vector<float> query = {1, 0};
  const std::vector<float> data = {-1, 0, 0, 1};
  const std::vector<float> cosines = {-1, 0};
  for (const double alpha : {0.0, 0.5, 1.0, 2.0, 3.0}) {
    EXPECT_EQ(ExpandAlphaWeighted(query.data(), {data.data(), 2, 2, 2}, cosines.data(), 2, alpha), query) << alpha;
  }
}

TEST(QueryExpansionTest, AZeroSumLeavesTheQuery) {
  const std::vector<float> query = {0.6f, 0.8f};
  const std::vector<float> opposite = {-0.6f, -0.8f};
  EXPECT_EQ(ExpandAverage(query.data(), {opposite.data(), 1, 2, 2}, 10), query);
}

// Rows on a line of angles; row 2 is dead.
class FakeSource : public AugmentationSource {
 public:
  static constexpr int64_t kDead = 2;

  explicit FakeSource(int64_t rows) : rows_(rows) {}

  int64_t rows() const override { return rows_; }
  size_t dim() const override { return 2; }

  absl::StatusOr<bool> Read(int64_t row, absl::Span<float> descriptor) override {
    if (row == kDead) return false;
    descriptor[0] = std::cos(Angle(row));
    descriptor[1] = std::sin(Angle(row));
    return true;
  }

  absl::StatusOr<Neighbours> Nearest(int64_t row, absl::Span<const float> descriptor, size_t count) override {
    if (row == fail_at) return base::FailedPrecondition("BROKEN", "the row is broken. Mend it.");
    EXPECT_NEAR(descriptor[0], std::cos(Angle(row)), 1e-6);
    EXPECT_EQ(count, 2u);
    Neighbours neighbours;
    for (const int64_t other : {row - 1, row + 1}) {
      if (other < 0 || other >= rows_ || other == kDead) continue;
      neighbours.rows.push_back(std::cos(Angle(other)));
      neighbours.rows.push_back(std::sin(Angle(other)));
      neighbours.cosines.push_back(std::cos(Angle(1)));
    }
    return neighbours;
  }

  absl::Status Write(int64_t row, absl::Span<const float> augmented) override {
    written.push_back(row);
    vectors.emplace_back(augmented.begin(), augmented.end());
    return absl::OkStatus();
  }

  static float Angle(int64_t row) { return static_cast<float>(row) * 0.1f; }

  int64_t fail_at = -1;
  std::vector<int64_t> written;
  std::vector<std::vector<float>> vectors;

 private:
  const int64_t rows_;
};

TEST(AugmentationTest, EveryLivingRowBecomesTheWeightedSum) {
  FakeSource source(5);
  std::vector<int64_t> reported;
  ASSERT_TRUE(AugmentRows(source, {.neighbours = 2, .alpha = 3}, [&reported](int64_t done, int64_t total) {
                EXPECT_EQ(total, 5);
                reported.push_back(done);
                return true;
              }).ok());
  EXPECT_EQ(source.written, (std::vector<int64_t>{0, 1, 3, 4}));
  EXPECT_EQ(reported, (std::vector<int64_t>{0, 5}));
  const double weight = std::pow(std::cos(0.1), 3);
  const std::vector<std::vector<int64_t>> neighbours = {{1}, {0}, {4}, {3}};
  for (size_t w = 0; w < source.written.size(); ++w) {
    double x = std::cos(FakeSource::Angle(source.written[w]));
    double y = std::sin(FakeSource::Angle(source.written[w]));
    for (const int64_t other : neighbours[w]) {
      x += weight * std::cos(FakeSource::Angle(other));
      y += weight * std::sin(FakeSource::Angle(other));
    }
    EXPECT_NEAR(source.vectors[w][0], x / std::hypot(x, y), 1e-6);
    EXPECT_NEAR(source.vectors[w][1], y / std::hypot(x, y), 1e-6);
  }
}

TEST(AugmentationTest, StopsWhenToldToAndWhereTheSourceFails) {
  FakeSource source(1000);
  const absl::Status cancelled =
      AugmentRows(source, {.neighbours = 2}, [](int64_t done, int64_t) { return done < 512; });
  EXPECT_EQ(cancelled.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(source.written.back(), 511);

  FakeSource broken(1000);
  broken.fail_at = 4;
  EXPECT_EQ(base::GetErrorInfo(AugmentRows(broken, {.neighbours = 2}, {})).reason, "BROKEN");
  EXPECT_EQ(broken.written, (std::vector<int64_t>{0, 1, 3}));

  FakeSource empty(0);
  EXPECT_TRUE(AugmentRows(empty, {.neighbours = 2}, {}).ok());
}

}  // namespace
}  // namespace sightline::index::rerank
