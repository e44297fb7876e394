// How fast the index room is: exact search, durable writes, opening.
//
//   index_benchmark [--benchmark_filter=...]
//
// Data goes to a new folder under TMPDIR; put that on the disk to be measured.
#include <benchmark/benchmark.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/mutex.h"
#include "index/database.h"
#include "index/kernels/float16.h"
#include "tests/support/temp_folder.h"

namespace sightline::index {
namespace {

constexpr int kDim = 1536;
constexpr int kRows = 100'000;

std::vector<float> RandomVector(std::mt19937& random) {
  std::normal_distribution<float> normal(0, 1.0f / 39);  // norm about 1
  std::vector<float> vector(kDim);
  for (float& value : vector) value = normal(random);
  return vector;
}

void ExpectOk(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

std::unique_ptr<Database> OpenDatabase(const std::string& folder) {
  base::SetLogLevel(base::Severity::kError);
  auto database = Database::Open({.directory = folder});
  ExpectOk(database.status());
  return *std::move(database);
}

std::shared_ptr<Collection> CreateCollection(Database& database) {
  CollectionConfig config;
  config.name = "bench";
  config.embedding_space = "bench";
  config.token_space = "bench";
  config.descriptor_dim = kDim;
  auto collection = database.Create(config);
  ExpectOk(collection.status());
  return *std::move(collection);
}

// Each thread waits for its write to be durable before it sends the next one.
void DurableWrites(benchmark::State& state) {
  const sightline::testing::TempFolder folder;
  const auto database = OpenDatabase(folder.path() + "/data");
  const auto collection = CreateCollection(*database);
  std::mt19937 random(1);
  const std::vector<float> descriptor = RandomVector(random);
  PatchTokens tokens{14, 14, 128, {}, {}, {}, {}};
  tokens.values.assign(14 * 14 * 128, 1);
  tokens.scales.assign(14 * 14, 0.01f);
  tokens.importance.assign(14 * 14, 1.0f / (14 * 14));
  tokens.centre.assign(128, 0.1f);
  constexpr int kWrites = 6400;
  for (auto _ : state) {
    std::atomic<int> left = kWrites;
    std::vector<std::thread> writers;
    for (int64_t t = 0; t < state.range(0); ++t) {
      writers.emplace_back([&] {
        while (left.fetch_sub(1) > 0) {
          Write write;
          write.record.descriptor = descriptor;
          if (state.range(1) != 0) write.record.tokens = tokens;
          ExpectOk(collection->Put(std::move(write)).status());
        }
      });
    }
    for (std::thread& writer : writers) writer.join();
  }
  state.SetItemsProcessed(state.iterations() * kWrites);
}
BENCHMARK(DurableWrites)
    ->ArgNames({"writers", "tokens"})
    ->Args({64, 0})
    ->Args({64, 1})
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// As a model makes them: unit vectors, importance and centre in half precision.
PatchTokens RandomTokens(std::mt19937& random) {
  PatchTokens tokens{14, 14, 128, {}, {}, {}, {}};
  for (int t = 0; t < 14 * 14; ++t) {
    double squares = 0;
    for (int i = 0; i < 128; ++i) {
      tokens.values.push_back(static_cast<int8_t>(random()));
      squares += static_cast<double>(tokens.values.back()) * tokens.values.back();
    }
    tokens.scales.push_back(static_cast<float>(1 / std::sqrt(squares)));
  }
  tokens.importance.assign(14 * 14, kernels::FloatFromFloat16(kernels::Float16FromFloat(1.0f / (14 * 14))));
  tokens.centre.assign(128, 0.125f);
  return tokens;
}

// A shortlist's tokens from files in the page cache: in one read, or image by image.
void ShortlistTokens(benchmark::State& state) {
  constexpr int kImages = 500;
  constexpr int kShortlist = 100;
  const sightline::testing::TempFolder folder;
  std::mt19937 random(1);
  const std::vector<float> descriptor = RandomVector(random);
  {
    const auto database = OpenDatabase(folder.path() + "/data");
    const auto collection = CreateCollection(*database);
    for (int i = 0; i < kImages; ++i) {
      Write write;
      write.record.id = absl::StrCat("image-", i);
      write.record.descriptor = descriptor;
      write.record.tokens = RandomTokens(random);
      ExpectOk(collection->Put(std::move(write)).status());
    }
  }
  const auto database = OpenDatabase(folder.path() + "/data");
  const auto collection = *database->Find("bench");
  std::vector<std::string> ids;
  for (int i = 0; i < kShortlist; ++i) ids.push_back(absl::StrCat("image-", random() % kImages));
  for (auto _ : state) {
    if (state.range(0) != 0) {
      const auto tokens = collection->ReadTokens(ids);
      ExpectOk(tokens.status());
      benchmark::DoNotOptimize(tokens);
    } else {
      for (const std::string& id : ids) {
        const auto record = collection->Get(id, RecordView::kVectors);
        ExpectOk(record.status());
        benchmark::DoNotOptimize(record);
      }
    }
  }
  state.SetItemsProcessed(state.iterations() * kShortlist);
}
BENCHMARK(ShortlistTokens)->ArgNames({"together"})->Arg(0)->Arg(1)->UseRealTime()->Unit(benchmark::kMillisecond);

void OpenFromPageCache(benchmark::State& state) {
  const sightline::testing::TempFolder folder;
  {
    const auto database = OpenDatabase(folder.path() + "/data");
    const auto collection = CreateCollection(*database);
    std::mt19937 random(1);
    base::Mutex mutex;
    base::CondVar changed;
    int in_flight = 0;
    const auto await = [&](int most) {
      base::MutexLock lock(mutex);
      while (in_flight > most) changed.Wait(mutex);
    };
    for (int i = 0; i < kRows; ++i) {
      await(1000);
      {
        base::MutexLock lock(mutex);
        ++in_flight;
      }
      Write write;
      write.record.descriptor = RandomVector(random);
      collection->PutAsync(std::move(write), [&](absl::StatusOr<WriteResult> result) {
        ExpectOk(result.status());
        base::MutexLock lock(mutex);
        --in_flight;
        changed.NotifyOne();
      });
    }
    await(0);
  }
  for (auto _ : state) {
    auto database = OpenDatabase(folder.path() + "/data");
    benchmark::DoNotOptimize(database);
    state.PauseTiming();
    database.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(OpenFromPageCache)->Iterations(3)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sightline::index

BENCHMARK_MAIN();
