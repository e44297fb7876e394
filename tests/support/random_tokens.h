// Patch tokens for tests: random directions, the same for a seed.
#ifndef SIGHTLINE_TESTS_SUPPORT_RANDOM_TOKENS_H_
#define SIGHTLINE_TESTS_SUPPORT_RANDOM_TOKENS_H_

#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

#include "index/record.h"

namespace sightline::testing {

// In float32; every token and the centre of length 1, the importance uniform. The centre is the mean of the tokens, so
// that every weighting has something to go by.
inline index::PatchTokens RandomTokens(unsigned seed, int height, int width, int dim = 16) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  index::PatchTokens tokens;
  tokens.height = height;
  tokens.width = width;
  tokens.dim = dim;
  tokens.precision = index::TokenPrecision::kFloat32;
  tokens.centre.assign(static_cast<size_t>(dim), 0);
  tokens.importance.assign(static_cast<size_t>(tokens.cells()), 1.0f / static_cast<float>(tokens.cells()));
  const auto normalise = [](float* values, int count) {
    double norm = 0;
    for (int i = 0; i < count; ++i) norm += static_cast<double>(values[i]) * values[i];
    for (int i = 0; i < count; ++i) values[i] = static_cast<float>(values[i] / std::sqrt(norm));
  };
  tokens.floats.resize(static_cast<size_t>(tokens.cells() * dim));
  for (int cell = 0; cell < tokens.cells(); ++cell) {
    float* const token = tokens.floats.data() + cell * dim;
    for (int i = 0; i < dim; ++i) token[i] = normal(random);
    normalise(token, dim);
    for (int i = 0; i < dim; ++i) tokens.centre[static_cast<size_t>(i)] += token[i];
  }
  normalise(tokens.centre.data(), dim);
  return tokens;
}

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_SUPPORT_RANDOM_TOKENS_H_
