// Patch tokens for tests: random grids of a given mean cosine, in every precision.
//
// Threading: pure functions of the generator passed in. Failure: none.
#ifndef SIGHTLINE_TESTS_INDEX_RERANK_PATCH_FIXTURE_H_
#define SIGHTLINE_TESTS_INDEX_RERANK_PATCH_FIXTURE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "index/kernels/float16.h"
#include "index/record.h"

namespace sightline::index::rerank {

using Vector = std::vector<double>;

inline Vector RandomUnit(std::mt19937& random, int dim) {
  std::normal_distribution<double> normal;
  Vector vector(static_cast<size_t>(dim));
  double squares = 0;
  for (double& value : vector) {
    value = normal(random);
    squares += value * value;
  }
  for (double& value : vector) value /= std::sqrt(squares);
  return vector;
}

// A vector of length 1 whose cosine with `unit` is about `cosine`.
inline Vector Near(std::mt19937& random, const Vector& unit, double cosine) {
  Vector vector = RandomUnit(random, static_cast<int>(unit.size()));
  double along = 0, squares = 0;
  for (size_t d = 0; d < unit.size(); ++d) along += vector[d] * unit[d];
  for (size_t d = 0; d < unit.size(); ++d) {
    vector[d] -= along * unit[d];
    squares += vector[d] * vector[d];
  }
  const double across = squares > 0 ? std::sqrt((1 - cosine * cosine) / squares) : 0;
  for (size_t d = 0; d < unit.size(); ++d) vector[d] = cosine * unit[d] + across * vector[d];
  return vector;
}

// `cells` in the order of the grid, height * width of them; importance at random.
inline PatchTokens MakeTokens(std::mt19937& random, int height, int width, const std::vector<Vector>& cells,
                              const Vector& centre, TokenPrecision precision) {
  PatchTokens tokens;
  tokens.height = height;
  tokens.width = width;
  tokens.dim = static_cast<int>(centre.size());
  tokens.precision = precision;
  tokens.centre.assign(centre.begin(), centre.end());
  double sum = 0;
  Vector importance;
  for (size_t i = 0; i < cells.size(); ++i) {
    importance.push_back(std::uniform_real_distribution<double>(0, 1)(random));
    sum += importance.back();
  }
  for (const double value : importance) tokens.importance.push_back(static_cast<float>(value / sum));
  for (const Vector& cell : cells) {
    double largest = 0;
    for (const double value : cell) largest = std::max(largest, std::abs(value));
    const double scale = largest > 0 ? largest / 127 : 1;
    if (precision == TokenPrecision::kInt8) tokens.scales.push_back(static_cast<float>(scale));
    for (const double value : cell) {
      const float rounded = static_cast<float>(value);
      if (precision == TokenPrecision::kInt8) {
        tokens.values.push_back(static_cast<int8_t>(std::lround(value / scale)));
      } else if (precision == TokenPrecision::kFloat16) {
        tokens.floats.push_back(kernels::FloatFromFloat16(kernels::Float16FromFloat(rounded)));
      } else {
        tokens.floats.push_back(rounded);
      }
    }
  }
  return tokens;
}

// Every cell of cosine sqrt(mean_cosine) with one direction, so that the cells of all images that share it are of about
// mean_cosine with each other. The centre lies near it.
inline PatchTokens RandomTokens(std::mt19937& random, int height, int width, const Vector& direction,
                                double mean_cosine, TokenPrecision precision = TokenPrecision::kFloat32) {
  std::vector<Vector> cells;
  for (int i = 0; i < height * width; ++i) cells.push_back(Near(random, direction, std::sqrt(mean_cosine)));
  return MakeTokens(random, height, width, cells, Near(random, direction, 0.7), precision);
}

inline double SumOf(const Vector& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_TESTS_INDEX_RERANK_PATCH_FIXTURE_H_
