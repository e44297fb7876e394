// Clustered descriptors, as instances of objects give them, and how well an order of them is.
#ifndef SIGHTLINE_TESTS_INDEX_CLUSTERS_H_
#define SIGHTLINE_TESTS_INDEX_CLUSTERS_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

namespace sightline::index {

inline void Normalise(float* vector, size_t dim) {
  double squares = 0;
  for (size_t d = 0; d < dim; ++d) squares += static_cast<double>(vector[d]) * vector[d];
  if (squares == 0) return;
  const double scale = 1 / std::sqrt(squares);
  for (size_t d = 0; d < dim; ++d) vector[d] = static_cast<float>(vector[d] * scale);
}

// `count` rows of `dim` values, every row a unit vector of even direction.
inline std::vector<float> UnitRows(std::mt19937& random, size_t count, size_t dim) {
  std::normal_distribution<float> normal;
  std::vector<float> rows(count * dim);
  for (float& value : rows) value = normal(random);
  for (size_t i = 0; i < count; ++i) Normalise(rows.data() + i * dim, dim);
  return rows;
}

// Row i belongs to cluster i % clusters: the cluster's centre and noise of `noise` times its length, normalised.
struct Clusters {
  Clusters(std::mt19937& random, size_t clusters_in, size_t rows_in, size_t dim_in, float noise)
      : clusters(clusters_in), count(rows_in), dim(dim_in), centres(UnitRows(random, clusters, dim)) {
    rows = Members(random, count, noise);
  }

  std::vector<float> Members(std::mt19937& random, size_t members, float noise) const {
    std::vector<float> result = UnitRows(random, members, dim);
    for (size_t i = 0; i < members; ++i) {
      float* row = result.data() + i * dim;
      for (size_t d = 0; d < dim; ++d) row[d] = centres[i % clusters * dim + d] + noise * row[d];
      Normalise(row, dim);
    }
    return result;
  }

  const float* Row(size_t i) const { return rows.data() + i * dim; }

  size_t clusters, count, dim;
  std::vector<float> centres;
  std::vector<float> rows;
};

// Of an order of rows: the mean over the relevant ones of the share of relevant rows at their rank and before.
template <typename Relevant>
double AveragePrecision(const std::vector<size_t>& order, size_t relevant_rows, const Relevant& relevant) {
  double sum = 0;
  size_t found = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    if (relevant(order[rank])) sum += static_cast<double>(++found) / static_cast<double>(rank + 1);
  }
  return sum / static_cast<double>(relevant_rows);
}

// The numbers 0 to scores.size() - 1, greatest score first, equal ones in their order.
template <typename Score>
std::vector<size_t> OrderByScore(const std::vector<Score>& scores) {
  std::vector<size_t> order(scores.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&scores](size_t a, size_t b) { return scores[a] > scores[b]; });
  return order;
}

}  // namespace sightline::index

#endif  // SIGHTLINE_TESTS_INDEX_CLUSTERS_H_
