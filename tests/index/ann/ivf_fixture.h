// What the tests of inverted lists share: rows with their codes, and searches without an index.
#ifndef SIGHTLINE_TESTS_INDEX_ANN_IVF_FIXTURE_H_
#define SIGHTLINE_TESTS_INDEX_ANN_IVF_FIXTURE_H_

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

#include "index/ann/code_table.h"
#include "index/ann/top_k.h"
#include "index/kernels/inner_product.h"
#include "index/kernels/int8_code.h"
#include "tests/index/clusters.h"

namespace sightline::index {

// Clustered rows and their codes; every fifth row repeats an earlier one, so that there are ties.
struct CodedRows {
  CodedRows(std::mt19937& random, size_t clusters_in, size_t rows, size_t dim, float noise)
      : clusters(random, clusters_in, rows, dim, noise),
        codes(kernels::CodeLayout(dim), /*chunk_rows=*/1024, static_cast<uint32_t>(rows)) {
    for (size_t i = 4; i < rows; i += 5) {
      std::copy_n(clusters.Row(random() % i), dim, clusters.rows.begin() + static_cast<std::ptrdiff_t>(i * dim));
    }
  }

  void Encode(uint32_t row) { kernels::EncodeRow(codes.layout(), clusters.Row(row), codes.MutableRow(row)); }
  void EncodeAll() {
    for (uint32_t row = 0; row < clusters.count; ++row) Encode(row);
  }

  Clusters clusters;
  CodeTable codes;
};

// The best k of rows [0, rows) that `takes` takes, by the definition of the estimate.
inline std::vector<ScoredRow> BestByEstimate(const CodeTable& codes, const kernels::Int8Query& query, uint32_t rows,
                                             size_t k, const std::function<bool(uint32_t)>& takes) {
  std::vector<ScoredRow> all;
  for (uint32_t row = 0; row < rows; ++row) {
    if (takes(row)) all.push_back({kernels::Int8ScoreReference(query, codes.Row(row)), row});
  }
  std::sort(all.begin(), all.end(), Better);
  all.resize(std::min(k, all.size()));
  return all;
}

// The best k of `rows` by full-precision inner products.
inline std::vector<uint64_t> BestInFull(const Clusters& clusters, const float* query, const std::vector<uint64_t>& rows,
                                        size_t k) {
  std::vector<ScoredRow> all;
  for (const uint64_t row : rows) {
    float score = 0;
    kernels::InnerProducts(query, clusters.Row(row), clusters.dim, clusters.dim, 1, &score);
    all.push_back({score, row});
  }
  std::sort(all.begin(), all.end(), Better);
  std::vector<uint64_t> best;
  for (size_t i = 0; i < std::min(k, all.size()); ++i) best.push_back(all[i].row);
  return best;
}

inline std::vector<uint64_t> RowsOf(const std::vector<ScoredRow>& scored) {
  std::vector<uint64_t> rows;
  for (const ScoredRow& row : scored) rows.push_back(row.row);
  return rows;
}

// The share of `expected` that `found` holds.
inline double Recall(const std::vector<uint64_t>& expected, const std::vector<uint64_t>& found) {
  size_t hits = 0;
  for (const uint64_t row : expected) hits += static_cast<size_t>(std::count(found.begin(), found.end(), row));
  return static_cast<double>(hits) / static_cast<double>(expected.size());
}

}  // namespace sightline::index

#endif  // SIGHTLINE_TESTS_INDEX_ANN_IVF_FIXTURE_H_
