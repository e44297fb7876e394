// The kernels of transport against their definitions, at every SIMD level and odd size.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "index/kernels/aligned.h"
#include "index/kernels/scaling.h"
#include "index/kernels/token_cosines.h"
#include "tests/index/simd_levels.h"
#include "tests/support/seed.h"

namespace sightline::index::kernels {
namespace {

std::vector<int> AllCells(size_t count) {
  std::vector<int> cells(count);
  std::iota(cells.begin(), cells.end(), 0);
  return cells;
}

struct Side {
  Side(std::mt19937& random, size_t count, size_t dimension)
      : dim(dimension), codes(count * dimension), scales(count), floats(count * dimension), values(count * dimension) {
    std::normal_distribution<float> normal(0, 40);
    for (size_t i = 0; i < floats.size(); ++i) {
      codes[i] = static_cast<int8_t>(std::lround(std::clamp(normal(random), -128.0f, 127.0f)));
      floats[i] = normal(random) * 1e-3f;
    }
    for (float& scale : scales) scale = 0.01f * static_cast<float>(1 + random() % 100);
    // One token of zeros, one of scale 0 and one turned around, in every set that is large enough.
    if (count > 3) {
      std::fill_n(codes.begin(), dim, int8_t{0});
      std::fill_n(floats.begin(), dim, 0.0f);
      scales[1] = 0;
      scales[2] = -scales[2];
      std::fill_n(codes.begin() + static_cast<std::ptrdiff_t>(3 * dim), dim, int8_t{-128});
    }
    for (size_t i = 0; i < values.size(); ++i) values[i] = scales[i / dim] * static_cast<float>(codes[i]);
  }

  size_t dim;
  std::vector<int8_t> codes;
  std::vector<float> scales;
  std::vector<float> floats;
  std::vector<float> values;  // what the codes stand for
};

void ExpectCosines(const QueryTokens& query, const TokenRows& rows, const std::vector<float>& query_values,
                   const std::vector<float>& row_values, const std::vector<int>& columns,
                   const std::vector<int>& cells) {
  const size_t dim = query.dim(), stride = query.stride();
  std::vector<float> cosines(cells.size() * stride, NAN);
  // Float32 sums of equal products are the worst: each addition rounds the same way.
  const double tolerance = 1e-6 + 2e-8 * static_cast<double>(dim);
  // In two parts, as a block is.
  const size_t half = cells.size() / 2;
  TokenCosines(query, rows, 0, half, cosines.data());
  TokenCosines(query, rows, half, cells.size() - half, cosines.data() + half * stride);
  for (size_t i = 0; i < cells.size(); ++i) {
    for (size_t j = 0; j < stride; ++j) {
      const double expected = j < columns.size()
                                  ? TokenCosineReference(&row_values[static_cast<size_t>(cells[i]) * dim],
                                                         &query_values[static_cast<size_t>(columns[j]) * dim], dim)
                                  : 0;
      ASSERT_NEAR(cosines[i * stride + j], expected, tolerance) << "row " << i << ", column " << j << ", dim " << dim;
    }
  }
  std::vector<float> maxima(stride);
  ColumnMaxima(cosines.data(), cells.size(), stride, maxima.data());
  for (size_t j = 0; j < stride; ++j) {
    float most = cosines[j];
    for (size_t i = 0; i < cells.size(); ++i) most = std::max(most, cosines[i * stride + j]);
    ASSERT_EQ(maxima[j], most);
  }
}

TEST(TokenCosinesTest, AgreeWithTheDefinitionAtEverySize) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (const size_t dim : {1, 2, 3, 4, 5, 31, 63, 64, 65, 128, 130, 257}) {
    const size_t count = 1 + random() % 90, others = 1 + random() % 40;
    SCOPED_TRACE(absl::StrCat(count, " columns, ", others, " rows"));
    const Side query(random, count, dim), result(random, others, dim);
    std::vector<int> columns, cells;
    for (const int cell : AllCells(count)) {
      if (random() % 4 != 0 || cell == 0) columns.push_back(cell);
    }
    for (const int cell : AllCells(others)) {
      if (random() % 4 != 0 || cell == 0) cells.push_back(cell);
    }
    ForEachSimdLevel([&] {
      const QueryTokens codes(query.codes.data(), query.scales.data(), columns, dim);
      const QueryTokens floats(query.floats.data(), columns, dim);
      TokenRows rows;
      rows.Assign(codes, result.codes.data(), result.scales.data(), cells);
      ExpectCosines(codes, rows, query.values, result.values, columns, cells);
      rows.Assign(floats, result.codes.data(), result.scales.data(), cells);
      ExpectCosines(floats, rows, query.floats, result.values, columns, cells);
      rows.Assign(codes, result.floats.data(), cells);
      ExpectCosines(codes, rows, query.values, result.floats, columns, cells);
      rows.Assign(floats, result.floats.data(), cells);
      ExpectCosines(floats, rows, query.floats, result.floats, columns, cells);
    });
  }
}

TEST(TokenCosinesTest, ChosenColumnsAreThoseOfTheWhole) {
  std::mt19937 random(5);
  for (const size_t dim : {1, 6, 64, 129}) {
    const Side query(random, 70, dim), result(random, 9, dim);
    const std::vector<int> cells = AllCells(9), chosen = {3, 4, 17, 69, 40};
    ForEachSimdLevel([&] {
      const QueryTokens whole(query.codes.data(), query.scales.data(), AllCells(70), dim);
      QueryTokens part;
      TokenRows rows;
      rows.Assign(whole, result.codes.data(), result.scales.data(), cells);
      part.AssignColumns(whole, chosen, rows.as_codes());
      ExpectCosines(part, rows, query.values, result.values, chosen, cells);
      rows.Assign(whole, result.floats.data(), cells);
      part.AssignColumns(whole, chosen, rows.as_codes());
      ExpectCosines(part, rows, query.values, result.floats, chosen, cells);
    });
  }
}

TEST(TokenCosinesTest, LengthsFarFromOne) {
  const std::vector<float> tiny = {3e-38f, 4e-38f, 0}, huge = {3e37f, 0, 4e37f};
  const std::vector<int> one = {0};
  ForEachSimdLevel([&] {
    const QueryTokens query(tiny.data(), one, 3);
    TokenRows rows;
    rows.Assign(query, huge.data(), one);
    std::vector<float> cosines(query.stride());
    TokenCosines(query, rows, 0, 1, cosines.data());
    EXPECT_NEAR(cosines[0], 0.36, 1e-6);
    const float unit[] = {1, 0, 0};
    ResultCosines(huge.data(), 1, 3, unit, cosines.data());
    EXPECT_NEAR(cosines[0], 0.6, 1e-6);
  });
}

TEST(TokenCosinesTest, CosinesWithAVector) {
  std::mt19937 random(6);
  for (const size_t dim : {1, 5, 64, 131}) {
    const Side side(random, 33, dim), other(random, 1, dim);
    std::vector<float> unit = other.floats;
    double square = 0;
    for (const float value : unit) square += static_cast<double>(value) * value;
    for (float& value : unit) value = static_cast<float>(value / std::sqrt(square));
    ForEachSimdLevel([&] {
      const QueryTokens query(side.codes.data(), side.scales.data(), AllCells(33), dim);
      std::vector<float> columns(query.stride()), codes(33), floats(33);
      QueryCosines(query, unit.data(), columns.data());
      ResultCosines(side.codes.data(), side.scales.data(), 33, dim, unit.data(), codes.data());
      ResultCosines(side.floats.data(), 33, dim, unit.data(), floats.data());
      for (size_t i = 0; i < 33; ++i) {
        const double expected = TokenCosineReference(&side.values[i * dim], unit.data(), dim);
        ASSERT_NEAR(columns[i], expected, 1e-6);
        ASSERT_NEAR(codes[i], expected, 1e-6);
        ASSERT_NEAR(floats[i], TokenCosineReference(&side.floats[i * dim], unit.data(), dim), 1e-6);
      }
    });
  }
}

TEST(ScalingTest, ExponentialsAgreeWithDoublePrecision) {
  constexpr size_t kCount = 4096;
  AlignedVector<float> cosines(kCount), matrix(kCount);
  for (size_t i = 0; i < kCount; ++i) cosines[i] = -1.0f + 2.0001f * static_cast<float>(i) / (kCount - 1);
  for (const double epsilon : {0.0011, 0.005, 0.01, 0.03, 0.05, 0.07, 0.3, 1.0, 10.0}) {
    ForEachSimdLevel([&] {
      ExpOfCosines(cosines.data(), kCount, epsilon, matrix.data());
      for (size_t i = 0; i < kCount; ++i) {
        const double expected = std::exp((static_cast<double>(cosines[i]) - 1) / epsilon);
        if (expected > kLeastKernel) {
          ASSERT_NEAR(matrix[i] / expected, 1, 1e-6) << "cosine " << cosines[i] << ", epsilon " << epsilon;
        } else {
          ASSERT_GT(matrix[i], 0);
          ASSERT_LE(matrix[i], kLeastKernel);
        }
      }
    });
  }
}

// Rounds in double precision, with the dummies written out.
struct PlainRounds {
  PlainRounds(const std::vector<double>& inner, size_t rows_, size_t columns_, double dummy_, std::vector<double> u_,
              std::vector<double> v_)
      : rows(rows_ + 1), columns(columns_ + 1), k(rows * columns, dummy_), u(std::move(u_)), v(std::move(v_)) {
    for (size_t i = 0; i < rows_; ++i) {
      for (size_t j = 0; j < columns_; ++j) k[i * columns + j] = inner[i * columns_ + j];
    }
    k.back() = 0;
    r.assign(rows, 1);
    c.assign(columns, 1);
  }

  void Round() {
    row_error = row_sizes = change = change_sizes = 0;
    for (size_t i = 0; i < rows; ++i) {
      double product = 0;
      for (size_t j = 0; j < columns; ++j) product += k[i * columns + j] * c[j];
      row_error += std::abs(r[i] * product - u[i]);
      row_sizes += r[i] * product + u[i];
      const double next = u[i] > 0 ? u[i] / product : 0;
      change += std::abs(next - r[i]);
      change_sizes += next + r[i];
      r[i] = next;
    }
    for (size_t j = 0; j < columns; ++j) {
      double sum = 0;
      for (size_t i = 0; i < rows; ++i) sum += k[i * columns + j] * r[i];
      c[j] = v[j] > 0 ? v[j] / sum : 0;
    }
  }

  size_t rows, columns;
  std::vector<double> k, u, v, r, c;
  double row_error = 0, change = 0;
  // Sums of what the two above are differences of: float32 is exact to a part of these, however small a difference is.
  double row_sizes = 0, change_sizes = 0;
};

TEST(ScalingTest, RoundsAgreeWithDoublePrecisionAtEverySize) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(0.05, 1);
  for (const size_t rows : {1, 3, 4, 7, 8, 9, 12, 20, 49}) {
    const size_t columns = 1 + random() % 70, stride = PaddedColumns(columns), padded = (rows + 3) / 4 * 4;
    const double dummy = random() % 2 == 0 ? 0 : 0.4;
    SCOPED_TRACE(absl::StrCat(rows, "x", columns, ", dummy ", dummy));
    AlignedVector<float> matrix(padded * stride, 0.5f), cosines(padded * stride, 0.0f), u(padded), v(stride);
    std::vector<double> inner(rows * columns);
    for (size_t i = 0; i < rows; ++i) {
      for (size_t j = 0; j < columns; ++j) {
        const float value = static_cast<float>(uniform(random));
        inner[i * columns + j] = matrix[i * stride + j] = value;
        cosines[i * stride + j] = static_cast<float>(uniform(random) * 2 - 1);
      }
    }
    std::vector<double> plain_u, plain_v;
    for (size_t i = 0; i < rows; ++i) plain_u.push_back(u[i] = static_cast<float>(i == 2 ? 0 : uniform(random)));
    for (size_t j = 0; j < columns; ++j) plain_v.push_back(v[j] = static_cast<float>(j == 3 ? 0 : uniform(random)));
    plain_u.push_back(static_cast<float>(dummy));
    plain_v.push_back(static_cast<float>(dummy) * 0.9f);
    const ScalingProblem problem{.matrix = matrix.data(),
                                 .u = u.data(),
                                 .v = v.data(),
                                 .rows = padded,
                                 .stride = stride,
                                 .dummy = static_cast<float>(dummy),
                                 .dummy_u = static_cast<float>(plain_u.back()),
                                 .dummy_v = static_cast<float>(plain_v.back())};
    ForEachSimdLevel([&] {
      PlainRounds plain(inner, rows, columns, static_cast<float>(dummy), plain_u, plain_v);
      AlignedVector<float> r[2], c[2];
      for (int i : {0, 1}) r[i].assign(padded, 0.0f), c[i].assign(stride, 0.0f);
      std::fill_n(r[0].begin(), rows, 1.0f);
      std::fill_n(c[0].begin(), columns, 1.0f);
      Scalings before{.r = r[0].data(), .c = c[0].data()}, after{.r = r[1].data(), .c = c[1].data()};
      if (dummy == 0) plain.r.back() = plain.c.back() = 0;
      for (int round = 0; round < 5; ++round) {
        const RoundResult result = ScaleRows(problem, before, &after);
        EXPECT_GT(ScaleColumns(problem, &after), 0);
        plain.Round();
        std::swap(before, after);
        ASSERT_NEAR(result.row_error, plain.row_error, 1e-5 * plain.row_sizes);
        ASSERT_NEAR(result.change, plain.change, 1e-5 * plain.change_sizes);
        for (size_t i = 0; i < rows; ++i) ASSERT_NEAR(before.r[i], plain.r[i], 1e-5 * plain.r[i]);
        for (size_t j = 0; j < columns; ++j) ASSERT_NEAR(before.c[j], plain.c[j], 1e-5 * plain.c[j]);
        for (size_t j = columns; j < stride; ++j) ASSERT_EQ(before.c[j], 0);
      }
      double mass = 0, structural = 0;
      for (size_t i = 0; i < rows; ++i) {
        for (size_t j = 0; j < columns; ++j) {
          const double t = plain.r[i] * inner[i * columns + j] * plain.c[j];
          mass += t;
          structural += t * cosines[i * stride + j];
        }
      }
      const ScalingScore score = ScorePlan(problem, before, cosines.data());
      ASSERT_NEAR(score.mass, mass, 1e-5 * mass);
      ASSERT_NEAR(score.structural, structural, 1e-5 * mass);
      plain.Round();
      ASSERT_NEAR(score.row_error, plain.row_error, 1e-5 * plain.row_sizes);
    });
  }
}

}  // namespace
}  // namespace sightline::index::kernels
