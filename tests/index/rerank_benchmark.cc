// How fast refinement by descriptors alone is: one query, its shortlist, one thread.
//
//   rerank_benchmark [--benchmark_filter=...]
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "index/kernels/inner_product.h"
#include "index/rerank/gram.h"
#include "index/rerank/k_reciprocal.h"
#include "index/rerank/query_expansion.h"
#include "index/rerank/super_global.h"
#include "tests/index/clusters.h"

namespace sightline::index::rerank {
namespace {

struct Shortlist {
  explicit Shortlist(const benchmark::State& state)
      : random(1),
        clusters(random, 10, static_cast<size_t>(state.range(0)), static_cast<size_t>(state.range(1)), 1),
        query(clusters.Members(random, 1, 1)),
        rows{clusters.rows.data(), clusters.count, clusters.dim, clusters.dim} {}

  std::mt19937 random;
  Clusters clusters;
  std::vector<float> query;
  DescriptorRows rows;
};

void GramMatrix(benchmark::State& state) {
  const Shortlist list(state);
  for (auto _ : state) benchmark::DoNotOptimize(Gram(list.rows));
  state.SetLabel(kernels::LevelName());
}

void SuperGlobal(benchmark::State& state) {
  const Shortlist list(state);
  for (auto _ : state) benchmark::DoNotOptimize(SuperGlobalScores(list.query.data(), list.rows));
}

void Reciprocal(benchmark::State& state) {
  const Shortlist list(state);
  for (auto _ : state) benchmark::DoNotOptimize(ReciprocalScores(list.query.data(), list.rows));
}

void AlphaExpansion(benchmark::State& state) {
  const Shortlist list(state);
  std::vector<float> cosines(list.rows.count, 0.5f);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        ExpandAlphaWeighted(list.query.data(), list.rows, cosines.data(), kAlphaNeighbours, kDefaultAlpha));
  }
}

BENCHMARK(GramMatrix)->Args({400, 1536})->Args({100, 1536})->Unit(benchmark::kMillisecond);
BENCHMARK(SuperGlobal)->Args({400, 1536})->Args({100, 1536})->Unit(benchmark::kMillisecond);
BENCHMARK(Reciprocal)->Args({400, 1536})->Args({100, 1536})->Unit(benchmark::kMillisecond);
BENCHMARK(AlphaExpansion)->Args({48, 1536})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sightline::index::rerank

BENCHMARK_MAIN();
