#include "index/rerank/k_reciprocal.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "index/rerank/gram.h"

namespace sightline::index::rerank {
namespace {

// Row 0 is the query.
class ReciprocalNeighbours {
 public:
  ReciprocalNeighbours(std::vector<float> distances, size_t n, size_t k1, size_t k2)
      : n_(n), k1_(std::min(k1, n - 1)), half_(std::min((k1 + 1) / 2, n - 1)), distances_(std::move(distances)) {
    const size_t kept = std::min(n, std::max(k1, k2) + 1);
    nearest_.resize(n);
    std::vector<uint32_t> order(n);
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) order[j] = static_cast<uint32_t>(j);
      std::swap(order[0], order[i]);
      const auto nearer = [row = &distances_[i * n]](uint32_t a, uint32_t b) {
        return row[a] != row[b] ? row[a] < row[b] : a < b;
      };
      std::partial_sort(order.begin() + 1, order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(), nearer);
      nearest_[i].assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept));
    }
  }

  // The row itself first.
  const std::vector<uint32_t>& Nearest(size_t i) const { return nearest_[i]; }

  // The non-zero weights of V_i.
  void Encode(size_t i, float* weights) const {
    std::vector<uint32_t> expanded = Reciprocal(i, k1_);
    std::vector<bool> in_core(n_);
    for (const uint32_t j : expanded) in_core[j] = true;
    std::vector<bool> taken = in_core;
    for (size_t c = 0, core = expanded.size(); c < core; ++c) {
      const std::vector<uint32_t> others = Reciprocal(expanded[c], half_);
      const auto common = std::count_if(others.begin(), others.end(), [&in_core](uint32_t j) { return in_core[j]; });
      if (3 * static_cast<size_t>(common) <= 2 * others.size()) continue;
      for (const uint32_t j : others) {
        if (!taken[j]) expanded.push_back(j);
        taken[j] = true;
      }
    }
    float total = 0;
    for (const uint32_t j : expanded) total += weights[j] = std::exp(-distances_[i * n_ + j]);
    for (const uint32_t j : expanded) weights[j] /= total;
  }

 private:
  std::vector<uint32_t> Reciprocal(size_t i, size_t k) const {
    std::vector<uint32_t> result;
    for (size_t a = 0; a <= k; ++a) {
      const uint32_t j = nearest_[i][a];
      const auto begin = nearest_[j].begin();
      const auto end = begin + static_cast<std::ptrdiff_t>(k + 1);
      if (std::find(begin, end, i) != end) result.push_back(j);
    }
    return result;
  }

  const size_t n_, k1_, half_;
  const std::vector<float> distances_;          // n x n, D
  std::vector<std::vector<uint32_t>> nearest_;  // of every row, as many as k1 or k2 asks for
};

// D, from the Gram matrix of the rows.
std::vector<float> ScaledDistances(std::vector<float> gram, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    float* row = gram.data() + i * n;
    float greatest = 0;
    for (size_t j = 0; j < n; ++j) {
      row[j] = j == i ? 0 : std::max(0.0f, 2 - 2 * row[j]);
      greatest = std::max(greatest, row[j]);
    }
    if (greatest == 0) continue;
    for (size_t j = 0; j < n; ++j) row[j] /= greatest;
  }
  return gram;
}

}  // namespace

std::vector<float> ReciprocalScores(const float* query, const DescriptorRows& candidates,
                                    const ReciprocalOptions& options) {
  if (candidates.count == 0) return {};
  const size_t n = candidates.count + 1;
  const size_t dim = candidates.dim;
  std::vector<float> rows(n * dim);
  std::copy_n(query, dim, rows.begin());
  for (size_t i = 1; i < n; ++i) {
    std::copy_n(candidates.Row(i - 1), dim, rows.begin() + static_cast<std::ptrdiff_t>(i * dim));
  }
  const std::vector<float> distances = ScaledDistances(Gram({rows.data(), n, dim, dim}), n);
  const size_t k2 = std::clamp<size_t>(options.k2, 1, n);
  const ReciprocalNeighbours neighbours(distances, n, options.k1, k2);

  std::vector<float> encoded(n * n);
  for (size_t i = 0; i < n; ++i) neighbours.Encode(i, encoded.data() + i * n);
  std::vector<float> query_mean(n), mean(n), scores(n - 1);
  for (size_t i = 0; i < n; ++i) {
    std::fill(mean.begin(), mean.end(), 0.0f);
    for (size_t a = 0; a < k2; ++a) {
      const float* row = encoded.data() + neighbours.Nearest(i)[a] * n;
      for (size_t j = 0; j < n; ++j) mean[j] += row[j];
    }
    for (float& value : mean) value /= static_cast<float>(k2);
    if (i == 0) {
      query_mean = mean;
      continue;
    }
    float least = 0, most = 0;
    for (size_t j = 0; j < n; ++j) {
      least += std::min(query_mean[j], mean[j]);
      most += std::max(query_mean[j], mean[j]);
    }
    const float distance = (1 - options.lambda) * (1 - least / most) + options.lambda * distances[i];
    scores[i - 1] = 1 - distance;
  }
  return scores;
}

}  // namespace sightline::index::rerank
