// What the tests of Graph share: tables of codes over seeded data, and comparing with every row.
//
// Threading: one thread. Failure: none.
//
//   GraphData data = MakeClusters(/*seed=*/1, /*dim=*/64, /*rows=*/2000, /*clusters=*/20);
//   std::vector<ScoredRow> expected = BestOf(*data.codes, query, 10, [](uint32_t) { return true; });
#ifndef SIGHTLINE_TESTS_INDEX_GRAPH_FIXTURE_H_
#define SIGHTLINE_TESTS_INDEX_GRAPH_FIXTURE_H_

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "index/ann/code_table.h"
#include "index/ann/graph.h"
#include "index/ann/top_k.h"
#include "index/kernels/int8_code.h"

namespace sightline::index {

struct GraphData {
  std::unique_ptr<CodeTable> codes;
  std::vector<std::vector<float>> vectors;
  std::vector<uint32_t> cluster;

  uint32_t rows() const { return static_cast<uint32_t>(vectors.size()); }
  kernels::Int8Query Query(const std::vector<float>& vector) const {
    return kernels::Int8Query(codes->layout(), vector.data());
  }
};

inline void Normalise(std::vector<float>& vector) {
  double squares = 0;
  for (const float value : vector) squares += static_cast<double>(value) * value;
  for (float& value : vector) value = static_cast<float>(value / std::sqrt(squares));
}

inline std::vector<float> Near(std::mt19937& random, const std::vector<float>& centre, float noise) {
  std::normal_distribution<float> normal;
  std::vector<float> vector = centre;
  const float scale = noise / std::sqrt(static_cast<float>(centre.size()));
  for (float& value : vector) value += scale * normal(random);
  Normalise(vector);
  return vector;
}

inline GraphData MakeData(std::vector<std::vector<float>> vectors, uint32_t chunk_rows = 256) {
  GraphData data;
  const kernels::CodeLayout layout(vectors.front().size());
  data.codes = std::make_unique<CodeTable>(layout, chunk_rows, static_cast<uint32_t>(vectors.size()) + 1000);
  data.vectors = std::move(vectors);
  for (uint32_t row = 0; row < data.rows(); ++row) {
    kernels::EncodeRow(layout, data.vectors[row].data(), data.codes->MutableRow(row));
  }
  return data;
}

// `clusters` centres and rows around them, in no order. One cluster: random directions.
inline GraphData MakeClusters(unsigned seed, size_t dim, uint32_t rows, uint32_t clusters, float noise = 0.7F) {
  std::mt19937 random(seed);
  std::vector<std::vector<float>> centres(clusters);
  for (auto& centre : centres) centre = Near(random, std::vector<float>(dim), 1);
  std::vector<std::vector<float>> vectors;
  std::vector<uint32_t> cluster;
  for (uint32_t row = 0; row < rows; ++row) {
    cluster.push_back(static_cast<uint32_t>(random() % clusters));
    vectors.push_back(clusters == 1 ? Near(random, std::vector<float>(dim), 1)
                                    : Near(random, centres[cluster.back()], noise));
  }
  GraphData data = MakeData(std::move(vectors));
  data.cluster = std::move(cluster);
  return data;
}

inline std::vector<ScoredRow> BestOf(const GraphData& data, const kernels::Int8Query& query, size_t k,
                                     const std::function<bool(uint32_t)>& passes) {
  TopK top(k);
  for (uint32_t row = 0; row < data.rows(); ++row) {
    if (passes(row)) top.Add(kernels::Int8ScoreReference(query, data.codes->Row(row)), row);
  }
  return std::move(top).Take();
}

// The share of `expected` that was found, where a row as good as the worst expected one counts as it.
inline double RecallOf(const std::vector<ScoredRow>& found, const std::vector<ScoredRow>& expected) {
  if (expected.empty()) return found.empty() ? 1 : 0;
  size_t hits = 0;
  for (const ScoredRow& row : found) hits += row.score >= expected.back().score ? 1 : 0;
  return static_cast<double>(std::min(hits, expected.size())) / static_cast<double>(expected.size());
}

inline bool EveryRow(uint32_t) { return true; }

inline std::unique_ptr<Graph> MakeGraph(const GraphData& data, Graph::Options options = {}) {
  auto graph = std::make_unique<Graph>(*data.codes, options);
  for (uint32_t row = 0; row < data.rows(); ++row) graph->Insert(row);
  return graph;
}

}  // namespace sightline::index

#endif  // SIGHTLINE_TESTS_INDEX_GRAPH_FIXTURE_H_
