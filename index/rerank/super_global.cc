#include "index/rerank/super_global.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "index/ann/top_k.h"
#include "index/kernels/inner_product.h"
#include "index/rerank/gram.h"

namespace sightline::index::rerank {
namespace {

// Every x~ as the sparse sum it is: parts `begins[i]` to `begins[i + 1]`, the candidate itself first.
class RefinedCandidates {
 public:
  RefinedCandidates(const DescriptorRows& rows, size_t others, float beta) : rows_(rows) {
    const std::vector<float> gram = Gram(rows);
    const size_t n = rows.count;
    parts_.reserve(n * (others + 1));
    begins_.reserve(n + 1);
    for (size_t i = 0; i < n; ++i) {
      begins_.push_back(parts_.size());
      AddParts(gram.data() + i * n, i, others, beta);
    }
    begins_.push_back(parts_.size());
  }

  // out_i = y.x~_i, from products_j = y.x_j.
  std::vector<float> InnerProducts(const float* y) const {
    std::vector<float> products(rows_.count), out(rows_.count);
    kernels::InnerProducts(y, rows_.data, rows_.dim, rows_.stride, rows_.count, products.data());
    for (size_t i = 0; i < rows_.count; ++i) {
      for (size_t p = begins_[i]; p < begins_[i + 1]; ++p) out[i] += parts_[p].weight * products[parts_[p].row];
    }
    return out;
  }

  std::vector<float> Row(size_t i) const {
    std::vector<float> sum(rows_.dim);
    for (size_t p = begins_[i]; p < begins_[i + 1]; ++p) {
      const float* row = rows_.Row(parts_[p].row);
      for (size_t d = 0; d < rows_.dim; ++d) sum[d] += parts_[p].weight * row[d];
    }
    return sum;
  }

 private:
  struct Part {
    uint32_t row;
    float weight;  // already divided by the sum of the weights
  };

  void AddParts(const float* cosines, size_t i, size_t others, float beta) {
    TopK nearest(others);
    for (size_t j = 0; j < rows_.count; ++j) {
      if (j != i && nearest.Wants(cosines[j])) nearest.Add(cosines[j], j);
    }
    const size_t begin = parts_.size();
    float total = 1;
    parts_.push_back({static_cast<uint32_t>(i), 1});
    for (const ScoredRow& neighbour : std::move(nearest).Take()) {
      const float weight = beta * std::max(neighbour.score, 0.0f);
      parts_.push_back({static_cast<uint32_t>(neighbour.row), weight});
      total += weight;
    }
    for (size_t p = begin; p < parts_.size(); ++p) parts_[p].weight /= total;
  }

  const DescriptorRows rows_;
  std::vector<Part> parts_;
  std::vector<size_t> begins_;
};

}  // namespace

std::vector<float> SuperGlobalScores(const float* query, const DescriptorRows& candidates,
                                     const SuperGlobalOptions& options) {
  const size_t n = candidates.count;
  if (n == 0) return {};
  const size_t neighbours = std::min(std::max<size_t>(options.neighbours, 1), n);
  const RefinedCandidates refined(candidates, neighbours - 1, options.beta);
  std::vector<float> scores = refined.InnerProducts(query);

  TopK best(neighbours);
  for (size_t i = 0; i < n; ++i) best.Add(scores[i], i);
  std::vector<float> maximum(candidates.dim, -std::numeric_limits<float>::infinity());
  for (const ScoredRow& top : std::move(best).Take()) {
    const std::vector<float> row = refined.Row(top.row);
    for (size_t d = 0; d < row.size(); ++d) maximum[d] = std::max(maximum[d], row[d]);
  }

  const std::vector<float> second = refined.InnerProducts(maximum.data());
  for (size_t i = 0; i < n; ++i) scores[i] = (scores[i] + second[i]) / 2;
  return scores;
}

}  // namespace sightline::index::rerank
