// Images for the tests of transport on a card, emulated or real, and what their scores are held against.
#ifndef SIGHTLINE_TESTS_GPU_TRANSPORT_SCENE_H_
#define SIGHTLINE_TESTS_GPU_TRANSPORT_SCENE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "index/kernels/float16.h"
#include "index/record.h"
#include "index/rerank/transport.h"
#include "tests/gpu/emulator/emulator.h"

namespace sightline::index::rerank {

#ifdef SIGHTLINE_ON_CARD
// A card's own exponentials are less exact than those of the emulator.
inline constexpr double kTight = 1e-4;   // what is promised
inline constexpr double kWeight = 2e-5;  // of a patch's weight
#else
inline constexpr double kTight = 2e-5;
inline constexpr double kWeight = 2e-6;
#endif
inline constexpr double kLoose = 1e-4;  // between rounds that are both within the tolerance

// Of the random cases; printed, and SIGHTLINE_SEED repeats it.
inline uint32_t Seed() {
  static const uint32_t seed = [] {
    const char* const given = std::getenv("SIGHTLINE_SEED");
    const uint32_t chosen = given != nullptr ? static_cast<uint32_t>(std::atoi(given)) : std::random_device()();
    std::printf("SIGHTLINE_SEED=%u\n", chosen);
    emulator::SetSeed(chosen);
    return chosen;
  }();
  return seed;
}

template <typename T>
T OneOf(std::mt19937& random, std::initializer_list<T> values) {
  return values.begin()[random() % values.size()];
}

// Cells of about this cosine with a direction that all images of a test have in common.
inline PatchTokens Tokens(std::mt19937& random, int height, int width, int dim, TokenPrecision precision,
                          float cosine = 0.5f) {
  std::mt19937 same(static_cast<uint32_t>(dim));
  std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(dim)));
  std::vector<float> direction(static_cast<size_t>(dim));
  for (float& value : direction) value = normal(same);
  PatchTokens tokens;
  tokens.height = height;
  tokens.width = width;
  tokens.dim = dim;
  tokens.precision = precision;
  for (const float value : direction) tokens.centre.push_back(value + 0.5f * normal(random));
  const float across = std::sqrt(1 - cosine * cosine);
  for (int cell = 0; cell < tokens.cells(); ++cell) {
    tokens.importance.push_back(1.0f / static_cast<float>(1 + random() % 9));
    if (precision == TokenPrecision::kInt8) tokens.scales.push_back(0.001f * static_cast<float>(1 + random() % 9));
    for (int i = 0; i < dim; ++i) {
      const float value = cosine * direction[static_cast<size_t>(i)] + across * normal(random);
      if (precision == TokenPrecision::kInt8) {
        tokens.values.push_back(static_cast<int8_t>(std::lround(std::clamp(value * 200, -128.0f, 127.0f))));
      } else if (precision == TokenPrecision::kFloat16) {
        tokens.floats.push_back(kernels::FloatFromFloat16(kernels::Float16FromFloat(value)));
      } else {
        tokens.floats.push_back(value);
      }
    }
  }
  return tokens;
}

inline std::vector<uint8_t> Mask(std::mt19937& random, int cells) {
  std::vector<uint8_t> mask;
  for (int i = 0; i < cells; ++i) mask.push_back(random() % 4 != 0);
  return mask;
}

using CardScores = absl::StatusOr<std::vector<std::optional<TransportScore>>>;

// What the card says against what the CPU does. Rounding may make one of them stop a round earlier.
inline void ExpectLike(const TransportQuery& query, absl::Span<const Patches> results, const CardScores& scores,
                       double tolerance = kTight) {
  ASSERT_TRUE(scores.ok()) << scores.status();
  const auto expected = query.Score(results);
  ASSERT_TRUE(expected.ok()) << expected.status();
  ASSERT_EQ(scores->size(), expected->size());
  for (size_t i = 0; i < results.size(); ++i) {
    if (!(*scores)[i]) continue;
    const TransportScore &score = *(*scores)[i], &cpu = (*expected)[i];
    SCOPED_TRACE(absl::StrCat("result ", i, ", rounds ", score.rounds, " and ", cpu.rounds));
    EXPECT_NEAR(score.structural, cpu.structural, score.rounds == cpu.rounds ? tolerance : std::max(kLoose, tolerance));
    EXPECT_NEAR(score.mass, cpu.mass, score.rounds == cpu.rounds ? tolerance : 2e-3);
    EXPECT_LE(std::abs(score.rounds - cpu.rounds), 2 + cpu.rounds / 10);
    if (score.rounds == cpu.rounds) {
      EXPECT_EQ(score.converged, cpu.converged);
    }
  }
}

inline TransportQuery Query(const Patches& patches, const TransportOptions& options) {
  auto query = TransportQuery::Make(patches, options);
  EXPECT_TRUE(query.ok()) << query.status();
  return *std::move(query);
}

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_TESTS_GPU_TRANSPORT_SCENE_H_
