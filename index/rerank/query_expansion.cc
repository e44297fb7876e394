#include "index/rerank/query_expansion.h"

#include <cmath>

namespace sightline::index::rerank {
namespace {

// In double precision: the sum is small work, and its rounding would otherwise grow with the number of neighbours.
class WeightedSum {
 public:
  WeightedSum(const float* query, size_t dim) : query_(query), sum_(query, query + dim) {}

  void Add(double weight, const float* row) {
    for (size_t d = 0; d < sum_.size(); ++d) sum_[d] += weight * row[d];
  }

  std::vector<float> Normalised() const {
    double squares = 0;
    for (const double value : sum_) squares += value * value;
    if (squares == 0) return {query_, query_ + sum_.size()};
    const double scale = 1 / std::sqrt(squares);
    std::vector<float> result(sum_.size());
    for (size_t d = 0; d < sum_.size(); ++d) result[d] = static_cast<float>(sum_[d] * scale);
    return result;
  }

 private:
  const float* const query_;
  std::vector<double> sum_;
};

}  // namespace

std::vector<float> ExpandAverage(const float* query, const DescriptorRows& best, size_t neighbours) {
  WeightedSum sum(query, best.dim);
  const size_t k = best.First(neighbours).count;
  for (size_t i = 0; i < k; ++i) sum.Add(1, best.Row(i));
  return sum.Normalised();
}

std::vector<float> ExpandAlphaWeighted(const float* query, const DescriptorRows& best, const float* cosines,
                                       size_t neighbours, double alpha) {
  WeightedSum sum(query, best.dim);
  const size_t k = best.First(neighbours).count;
  for (size_t i = 0; i < k; ++i) {
    if (cosines[i] > 0) sum.Add(std::pow(static_cast<double>(cosines[i]), alpha), best.Row(i));
  }
  return sum.Normalised();
}

}  // namespace sightline::index::rerank
