// Inverted lists and product codes: time and recall at 10 of one query, one thread, against the number of lists probed.
//
//   ivf_benchmark [--benchmark_filter=...]
//
// Rows form clusters of 60; candidates are re-scored in full precision outside the time measured.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "index/ann/ivf.h"
#include "index/ann/pq_codes.h"
#include "tests/index/ann/ivf_fixture.h"

namespace sightline::index {
namespace {

constexpr float kNoise = 0.8f;
constexpr size_t kQueries = 100;

template <typename T>
T Need(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(value);
}

bool Any(uint32_t) { return true; }

struct Data {
  Data(uint32_t rows_in, size_t dim) : random(1), rows(rows_in), coded(random, rows_in / 60, rows_in, dim, kNoise) {
    coded.EncodeAll();
    queries = coded.clusters.Members(random, kQueries, kNoise);
    std::vector<uint64_t> all(rows);
    std::iota(all.begin(), all.end(), 0);
    for (size_t q = 0; q < kQueries; ++q) exact.push_back(BestInFull(coded.clusters, Query(q), all, 10));
    const size_t lists = CoarseQuantizer::DefaultLists(rows);
    ivf = Need(Ivf::Create(
        coded.codes, Need(CoarseQuantizer::Train(Sample(CoarseQuantizer::SampleRows(lists)), dim,
                                                 {.lists = lists, .iterations = 5, .threads = 2, .cancelled = {}}))));
    ivf->Insert(0, rows);
  }

  // Rows are in no order, so the first ones are as good a sample as any.
  absl::Span<const float> Sample(size_t most) const {
    return absl::MakeConstSpan(coded.clusters.rows).subspan(0, std::min<size_t>(most, rows) * coded.clusters.dim);
  }

  const float* Query(size_t q) const { return queries.data() + q % kQueries * coded.clusters.dim; }

  double RecallOf(size_t q, const std::vector<ScoredRow>& found) const {
    return Recall(exact[q % kQueries], BestInFull(coded.clusters, Query(q), RowsOf(found), 10));
  }

  static Data& Of(const benchmark::State& state) {
    static std::map<std::pair<int64_t, int64_t>, std::unique_ptr<Data>> cache;
    auto& data = cache[{state.range(0), state.range(1)}];
    if (data == nullptr) {
      data = std::make_unique<Data>(static_cast<uint32_t>(state.range(0)), static_cast<size_t>(state.range(1)));
    }
    return *data;
  }

  std::mt19937 random;
  uint32_t rows;
  CodedRows coded;
  std::vector<float> queries;
  std::vector<std::vector<uint64_t>> exact;
  std::unique_ptr<Ivf> ivf;
};

void IvfSearch(benchmark::State& state) {
  const Data& data = Data::Of(state);
  const auto nprobe = static_cast<size_t>(state.range(2));
  size_t q = 0;
  double recall = 0, compared = 0;
  for (auto _ : state) {
    const kernels::Int8Query query(data.coded.codes.layout(), data.Query(q));
    const Ivf::Result found = data.ivf->Search({.query = &query, .k = 40, .nprobe = nprobe, .accept = Any});
    state.PauseTiming();
    recall += data.RecallOf(q++, found.best);
    compared += static_cast<double>(found.compared);
    state.ResumeTiming();
  }
  state.counters["recall"] = recall / static_cast<double>(q);
  state.counters["compared"] = compared / static_cast<double>(q);
  state.counters["lists"] = static_cast<double>(data.ivf->quantizer().lists());
}

void IvfInsert(benchmark::State& state) {
  const Data& data = Data::Of(state);
  const auto quantizer =
      Need(CoarseQuantizer::Make(data.Sample(data.ivf->quantizer().lists()), data.coded.clusters.dim));
  for (auto _ : state) {
    const auto ivf = Need(Ivf::Create(data.coded.codes, quantizer));
    ivf->Insert(0, 4096);
  }
  state.SetItemsProcessed(state.iterations() * 4096);
}

void PqSearch(benchmark::State& state) {
  const Data& data = Data::Of(state);
  static std::map<size_t, std::unique_ptr<PqCodes>> cache;
  auto& codes = cache[data.coded.clusters.dim];
  if (codes == nullptr) {
    codes = std::make_unique<PqCodes>(
        Need(ProductQuantizer::Train(data.Sample(8192), data.coded.clusters.dim, {.iterations = 5, .threads = 2})),
        32768, data.rows);
    for (uint32_t row = 0; row < data.rows; ++row) codes->Set(row, data.coded.clusters.Row(row));
  }
  size_t q = 0;
  double recall = 0;
  for (auto _ : state) {
    const PqCodes::Result found = codes->Search({.query = data.Query(q), .k = 200, .rows = data.rows, .accept = Any});
    state.PauseTiming();
    recall += data.RecallOf(q++, found.best);
    state.ResumeTiming();
  }
  state.counters["recall"] = recall / static_cast<double>(q);
  state.counters["bytes_a_row"] = static_cast<double>(codes->quantizer().code_bytes());
}

BENCHMARK(IvfSearch)->ArgsProduct({{200'000}, {128}, {1, 4, 16, 32, 64}})->Unit(benchmark::kMillisecond);
BENCHMARK(IvfSearch)->ArgsProduct({{20'000}, {1536}, {1, 4, 16, 32}})->Unit(benchmark::kMillisecond);
BENCHMARK(IvfInsert)->Args({20'000, 1536})->Unit(benchmark::kMillisecond);
BENCHMARK(PqSearch)->Args({20'000, 1536})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sightline::index

BENCHMARK_MAIN();
