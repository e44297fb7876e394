// How fast filters are over a million rows: evaluation at several selectivities, ranges, bits for the graph, reads
// beside a writer, writes; and how much memory the index takes.
//
//   filter_benchmark [--benchmark_filter=...]
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "index/filter/concurrent_attribute_index.h"
#include "index/filter/filter_parser.h"

namespace sightline::index {
namespace {

constexpr uint32_t kRows = 1 << 20;

// Five attributes, as a shop has them: two texts, a price, a time, a truth value.
Attributes RowAttributes(uint32_t row, std::mt19937& random) {
  const uint32_t draw = random() % 10'000;
  const char* share = draw < 1      ? "0.01%"
                      : draw < 11   ? "0.1%"
                      : draw < 111  ? "1%"
                      : draw < 1111 ? "10%"
                      : draw < 6111 ? "50%"
                                    : "the rest";
  return {{"share", share},
          {"brand", absl::StrCat("brand ", random() % 1000)},
          {"price", std::uniform_real_distribution<double>(0, 1000)(random)},
          {"time", int64_t{1'700'000'000'000} + row * 37 + static_cast<int64_t>(random() % 37)},
          {"in_stock", random() % 2 == 0}};
}

const AttributeIndex& Index() {
  static const AttributeIndex index = [] {
    AttributeIndex made;
    std::mt19937 random(1);
    for (uint32_t row = 0; row < kRows; ++row) made.Set(row, RowAttributes(row, random));
    return made;
  }();
  return index;
}

Filter Parse(const std::string& text) {
  auto filter = ParseFilter(text);
  if (!filter.ok()) std::abort();
  return *std::move(filter);
}

void Evaluate(benchmark::State& state, const char* text) {
  const Filter filter = Parse(text);
  const AttributeIndex& index = Index();
  Roaring universe;
  universe.addRange(0, kRows);
  for (uint32_t row = 0; row < kRows; row += 50) universe.remove(row);  // some rows are dead
  uint64_t rows = 0;
  for (auto _ : state) {
    const Roaring found = index.Evaluate(filter, universe);
    rows = found.cardinality();
    benchmark::DoNotOptimize(rows);
  }
  state.counters["rows"] = static_cast<double>(rows);
}
BENCHMARK_CAPTURE(Evaluate, equal_50, "share = '50%'")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Evaluate, equal_10, "share = '10%'")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Evaluate, equal_1, "share = '1%'")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Evaluate, equal_0_1, "share = '0.1%'")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Evaluate, equal_0_01, "share = '0.01%'")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Evaluate, not_50, "NOT share = '50%'")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Evaluate, price_50, "price < 500")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Evaluate, price_10, "price >= 123.4 AND price < 223.4")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Evaluate, price_1, "price < 10")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Evaluate, price_0_01, "price < 0.1")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Evaluate, time_50, "time < 1700019398656")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Evaluate, three, "share = '50%' AND price < 500 AND in_stock = true")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Evaluate, in_10, "brand IN ('brand 1', 'brand 2', 'brand 3', 'brand 4', 'brand 5')")
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Evaluate, text_range_50, "brand < 'brand 5'")->Unit(benchmark::kMicrosecond);

void RowBitsOf(benchmark::State& state, const char* text) {
  const Roaring rows = Index().Evaluate(Parse(text), kRows);
  RowBits bits;
  for (auto _ : state) {
    ToRowBits(rows, kRows, bits);
    benchmark::DoNotOptimize(bits.words.data());
  }
}
BENCHMARK_CAPTURE(RowBitsOf, 50, "share = '50%'")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(RowBitsOf, 1, "share = '1%'")->Unit(benchmark::kMicrosecond);

void GroupIds(benchmark::State& state) {
  std::mt19937 random(2);
  for (auto _ : state) benchmark::DoNotOptimize(Index().GroupId(random() % kRows, "brand"));
}
BENCHMARK(GroupIds);

void CountValuesOf(benchmark::State& state) {
  const Roaring rows = Index().Evaluate(Parse("share = '50%'"), kRows);
  for (auto _ : state) benchmark::DoNotOptimize(Index().CountValues("brand", rows));
}
BENCHMARK(CountValuesOf)->Unit(benchmark::kMicrosecond);

void Read(benchmark::State& state) {
  static LeftRight<int> value(7);
  for (auto _ : state) benchmark::DoNotOptimize(value.Read([](int now) { return now; }));
}
BENCHMARK(Read)->Threads(1)->Threads(2)->UseRealTime();

void ParseText(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(ParseFilter("brand = \"acme\" AND (price < 20 OR tags IN (\"red\", \"blue\"))"));
  }
}
BENCHMARK(ParseText);

// Rows added one by one to both copies.
void Apply(benchmark::State& state) {
  for (auto _ : state) {
    ConcurrentAttributeIndex index;
    std::mt19937 random(1);
    for (uint32_t row = 0; row < 200'000; ++row) {
      const Attributes attributes = RowAttributes(row, random);
      const RowChange change{.row = row, .attributes = &attributes};
      index.Apply({&change, 1});
    }
  }
  state.SetItemsProcessed(state.iterations() * 200'000);
}
BENCHMARK(Apply)->Iterations(1)->Unit(benchmark::kMillisecond);

// A whole segment, as opening a collection makes it.
void Load(benchmark::State& state) {
  for (auto _ : state) {
    AttributeIndex index;
    std::mt19937 random(1);
    for (uint32_t row = 0; row < kRows; ++row) index.Set(row, RowAttributes(row, random));
    state.counters["MB_one"] = static_cast<double>(index.memory_bytes()) / 1e6;
    ConcurrentAttributeIndex both(std::move(index));
    const Attributes none;
    for (uint32_t i = 0; i < kRows / 4; ++i) {
      const RowChange change{.row = kRows, .attributes = &none};
      both.Apply({&change, 1});
    }
    state.counters["MB_both"] = static_cast<double>(both.memory_bytes()) / 1e6;
  }
}
BENCHMARK(Load)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sightline::index

BENCHMARK_MAIN();
