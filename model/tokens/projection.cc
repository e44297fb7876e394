#include "model/tokens/projection.h"

#include <cmath>
#include <cstddef>
#include <numeric>

#include "model/weights/seeded_random.h"

namespace sightline::model {

std::vector<float> OrthonormalProjection(int rows, int columns, uint64_t seed) {
  weights::SeededRandom random(seed, "tokens.projection");
  std::vector<std::vector<double>> basis;
  for (int c = 0; c < columns; ++c) {
    std::vector<double> vector(rows);
    for (double& value : vector) value = random.Normal();
    // Twice: the second pass removes what rounding left of the first.
    for (int pass = 0; pass < 2; ++pass) {
      for (const std::vector<double>& other : basis) {
        const double dot = std::inner_product(vector.begin(), vector.end(), other.begin(), 0.0);
        for (int r = 0; r < rows; ++r) vector[r] -= dot * other[r];
      }
    }
    const double norm = std::sqrt(std::inner_product(vector.begin(), vector.end(), vector.begin(), 0.0));
    for (double& value : vector) value /= norm;
    basis.push_back(std::move(vector));
  }
  std::vector<float> projection(static_cast<size_t>(rows) * columns);
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < columns; ++c) {
      projection[static_cast<size_t>(r) * columns + c] = static_cast<float>(basis[c][r]);
    }
  }
  return projection;
}

}  // namespace sightline::model
