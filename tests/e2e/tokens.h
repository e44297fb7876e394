// Patch tokens for tests that send descriptors.
#ifndef SIGHTLINE_TESTS_E2E_TOKENS_H_
#define SIGHTLINE_TESTS_E2E_TOKENS_H_

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "sightline/v1/embedding.pb.h"

namespace sightline::testing {

// Random unit vectors in float32, the same for a seed, of the token space `space`; the centre is their mean, the
// importance uniform.
inline v1::PatchTokens RandomTokens(unsigned seed, int height, int width, int dim = 16,
                                    const std::string& space = "space") {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  v1::PatchTokens tokens;
  tokens.set_height(height);
  tokens.set_width(width);
  tokens.set_dim(dim);
  tokens.set_precision(v1::PatchTokens::PRECISION_FLOAT32);
  tokens.set_token_space(space);
  std::vector<float> centre(static_cast<size_t>(dim), 0);
  std::vector<float> token(static_cast<size_t>(dim));
  const auto normalise = [](std::vector<float>& values) {
    double norm = 0;
    for (const float value : values) norm += static_cast<double>(value) * value;
    for (float& value : values) value = static_cast<float>(value / std::sqrt(norm));
  };
  for (int cell = 0; cell < height * width; ++cell) {
    for (float& value : token) value = normal(random);
    normalise(token);
    for (size_t i = 0; i < token.size(); ++i) centre[i] += token[i];
    // PRECISION_FLOAT32 is little-endian, as every machine that runs these tests.
    tokens.mutable_values()->append(reinterpret_cast<const char*>(token.data()), token.size() * sizeof(float));
    tokens.add_importance(1.0f / static_cast<float>(height * width));
  }
  normalise(centre);
  tokens.mutable_centre()->Add(centre.begin(), centre.end());
  return tokens;
}

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_E2E_TOKENS_H_
