// Int8 codes and their kernels against their definitions.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "index/kernels/inner_product.h"
#include "index/kernels/int8_code.h"
#include "tests/index/simd_levels.h"
#include "tests/support/seed.h"

namespace sightline::index::kernels {
namespace {

std::vector<uint8_t> RandomBytes(std::mt19937& random, const CodeLayout& layout, size_t rows) {
  std::vector<uint8_t> bytes(layout.stride * rows);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  for (size_t r = 0; r < rows; ++r) {
    const CodeTrailer trailer{0.001f * static_cast<float>(1 + random() % 1000), 0.01f};
    std::memcpy(bytes.data() + (r + 1) * layout.stride - sizeof(trailer), &trailer, sizeof(trailer));
  }
  return bytes;
}

std::vector<float> RandomValues(std::mt19937& random, size_t dim) {
  std::normal_distribution<float> normal;
  std::vector<float> values(dim);
  for (float& value : values) value = normal(random);
  return values;
}

TEST(Int8KernelsTest, AgreeWithTheReferenceBitForBitAtEveryLength) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed, ", level ", LevelName()));
  std::mt19937 random(seed);
  for (size_t dim = 1; dim <= 700; dim += 1 + random() % 9) {
    const CodeLayout layout(dim);
    const Int8Query query(layout, RandomValues(random, dim).data());
    for (const size_t count : {1, 2, 5, 6, 7, 13, 20}) {
      const std::vector<uint8_t> rows = RandomBytes(random, layout, count);
      std::vector<float> scores(count), scores_at(count);
      std::vector<const uint8_t*> at(count);
      for (size_t r = 0; r < count; ++r) at[r] = rows.data() + random() % count * layout.stride;
      ForEachSimdLevel([&] {
        Int8Scores(query, rows.data(), count, scores.data());
        Int8ScoresAt(query, at.data(), count, scores_at.data());
        for (size_t r = 0; r < count; ++r) {
          ASSERT_EQ(scores[r], Int8ScoreReference(query, rows.data() + r * layout.stride)) << "dim " << dim;
          ASSERT_EQ(scores_at[r], Int8ScoreReference(query, at[r])) << "dim " << dim;
        }
      });
    }
  }
}

TEST(Int8KernelsTest, LargestSumsDoNotSaturate) {
  for (const size_t dim : {63, 64, 1536, 4096}) {
    const CodeLayout layout(dim);
    for (const float sign : {1.0f, -1.0f}) {
      const std::vector<float> ones(dim, 1), values(dim, sign);
      std::vector<uint8_t> row(layout.stride);
      EncodeRow(layout, values.data(), row.data());
      const Int8Query query(layout, ones.data());
      ForEachSimdLevel([&] {
        float score = 0;
        Int8Scores(query, row.data(), 1, &score);
        EXPECT_EQ(score, Int8ScoreReference(query, row.data()));
        EXPECT_NEAR(score, sign * static_cast<float>(dim), 1e-3 * static_cast<double>(dim));
      });
    }
  }
}

TEST(Int8KernelsTest, AQueryScoresTheSameInABlock) {
  std::mt19937 random(3);
  for (const size_t dim : {1, 56, 57, 100, 1536}) {
    const CodeLayout layout(dim);
    constexpr size_t kRows = 5;
    const std::vector<uint8_t> rows = RandomBytes(random, layout, kRows);
    std::vector<Int8Query> queries;
    std::vector<const Int8Query*> pointers;
    for (int q = 0; q < 11; ++q) queries.emplace_back(layout, RandomValues(random, dim).data());
    for (const Int8Query& query : queries) pointers.push_back(&query);
    for (size_t n = 0; n <= queries.size(); ++n) {
      ForEachSimdLevel([&] {
        std::vector<float> out(queries.size() * 7, -1);
        Int8ScoresBlock(pointers.data(), n, rows.data(), kRows, out.data(), 7);
        for (size_t q = 0; q < queries.size(); ++q) {
          for (size_t r = 0; r < 7; ++r) {
            const float expected =
                q < n && r < kRows ? Int8ScoreReference(queries[q], rows.data() + r * layout.stride) : -1;
            ASSERT_EQ(out[q * 7 + r], expected);
          }
        }
      });
    }
  }
}

TEST(EncodeRowTest, WritesTheReferencesCodes) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (size_t dim = 1; dim <= 300; ++dim) {
    const CodeLayout layout(dim);
    std::vector<float> values = RandomValues(random, dim);
    if (dim % 7 == 0) values[random() % dim] *= 1e6f;    // most codes are zero
    if (dim % 11 == 0) values.assign(dim, 0.25f);        // every code is the largest
    if (dim % 13 == 0) values.assign(dim, 0);            // nothing to encode
    if (dim % 17 == 0) values.assign(dim, -3e-45f);      // no scale is small enough
    if (dim % 19 == 0) values[random() % dim] = -1e38f;  // the square is beyond single precision
    const float inf = std::numeric_limits<float>::infinity();
    if (dim % 23 == 0) values[random() % dim] = random() % 2 == 0 ? inf : -inf;
    if (dim % 29 == 0) values[random() % dim] = std::nanf("");
    std::vector<uint8_t> expected(layout.stride, 1);
    EncodeRowReference(layout, values.data(), expected.data());
    const CodeTrailer expected_trailer = layout.Trailer(expected.data());
    ForEachSimdLevel([&] {
      std::vector<uint8_t> row(layout.stride, 2);
      EncodeRow(layout, values.data(), row.data());
      const CodeTrailer trailer = layout.Trailer(row.data());
      ASSERT_EQ(trailer.scale, expected_trailer.scale) << dim;
      if (std::isinf(expected_trailer.error)) {
        ASSERT_EQ(trailer.error, inf);
      } else {
        ASSERT_GE(trailer.error, 0.99999f * expected_trailer.error) << dim;
        ASSERT_LE(trailer.error, 1.00001f * expected_trailer.error + 1e-42f) << dim;
      }
      for (size_t i = 0; i < layout.stride - sizeof(CodeTrailer); ++i) ASSERT_EQ(row[i], expected[i]) << dim;
    });
  }
}

TEST(Int8KernelsTest, NoRowsNoScores) {
  const CodeLayout layout(5);
  const Int8Query query(layout, std::vector<float>(5, 1).data());
  float score = 7;
  Int8Scores(query, nullptr, 0, &score);
  Int8ScoresAt(query, nullptr, 0, &score);
  EXPECT_EQ(score, 7);
}

}  // namespace
}  // namespace sightline::index::kernels
