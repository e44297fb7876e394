// `sightline-bench ingest`: a collection as an application sees it, on the data of ann_data.h: searches while 1,000
// descriptors a second come in, durable writes with patch tokens through IndexStream, opening it again, and searches
// under filters.
//
// The peer of `concurrent` is the same collection at rest, the peer of `filtered` the same search without a filter.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/mutex.h"
#include "index/database.h"
#include "tests/bench/ann_data.h"
#include "tests/bench/bench.h"
#include "tests/bench/ingest_tokens.h"
#include "tests/bench/report.h"

namespace sightline::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kInsertsPerSecond = 1000;
constexpr int kFilterSteps = 10'000;  // the attribute `slot` is uniform over as many values

double Seconds(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

double Quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<size_t>(static_cast<double>(values.size()) * share))];
}

// Ends the bench: a figure after a failure would be worth nothing.
void Require(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "ingest: %s\n", std::string(status.message()).c_str());
  std::exit(1);
}

class Collection {
 public:
  Collection(std::string folder, uint64_t rows) : folder_(std::move(folder)), data_(rows + kSpareRows) { Open(); }

  void Open() {
    index::DatabaseOptions options;
    options.directory = folder_;
    auto database = index::Database::Open(options);
    Require(database.status());
    database_ = *std::move(database);
    auto found = database_->Find("bench");
    if (!found.ok()) {
      index::CollectionConfig config;
      config.name = "bench";
      config.embedding_space = "bench";
      config.descriptor_dim = static_cast<int>(AnnData::kDim);
      config.index_kind = index::IndexKind::kHnsw;
      found = database_->Create(config);
    }
    Require(found.status());
    collection_ = *std::move(found);
  }

  void Close() {
    collection_.reset();
    database_.reset();
  }

  // Writes rows [begin, end), at most `per_second` of them a second; 0 sets no limit.
  void Write(uint64_t begin, uint64_t end, int per_second) {
    constexpr int kInFlight = 512;
    const auto start = SteadyClock::now();
    int in_flight = 0;
    base::Mutex mutex;
    base::CondVar changed;
    for (uint64_t row = begin; row < end; ++row) {
      index::Write write;
      write.record.id = absl::StrCat("image-", row);
      write.record.descriptor.resize(AnnData::kDim);
      data_.Row(row, write.record.descriptor.data());
      write.record.attributes = {{"slot", SlotOf(row)}};
      if (per_second > 0) {
        std::this_thread::sleep_until(start + std::chrono::duration_cast<SteadyClock::duration>(
                                                  std::chrono::duration<double>(static_cast<double>(row - begin) /
                                                                                per_second)));
      }
      {
        base::MutexLock lock(mutex);
        while (in_flight >= kInFlight) changed.Wait(mutex);
        ++in_flight;
      }
      collection_->PutAsync(std::move(write), [&](const absl::StatusOr<index::WriteResult>& result) {
        Require(result.status());
        base::MutexLock lock(mutex);
        --in_flight;
        changed.NotifyAll();
      });
    }
    base::MutexLock lock(mutex);
    while (in_flight > 0) changed.Wait(mutex);
  }

  // Until nothing is left to do in the background.
  void AwaitUpkeep() const {
    while (collection_->Stats().graph_backlog > 0) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }

  std::vector<std::string> Search(uint64_t query, const std::string& filter, bool exact, int ef) const {
    std::vector<float> vector(AnnData::kDim);
    data_.Query(query, vector.data());
    index::SearchQuery ask;
    ask.descriptor = vector;
    ask.filter = filter;
    ask.exact = exact;
    ask.ef_search = ef;
    const auto outcome = collection_->Search(ask);
    Require(outcome.status());
    std::vector<std::string> ids;
    for (const index::Hit& hit : outcome->hits) ids.push_back(hit.id);
    return ids;
  }

  index::CollectionStats Stats() const { return collection_->Stats(); }

  static int64_t SlotOf(uint64_t row) {
    std::mt19937_64 random(row * 2 + 1);
    return static_cast<int64_t>(random() % kFilterSteps);
  }

  static constexpr uint64_t kSpareRows = 200'000;

 private:
  const std::string folder_;
  const AnnData data_;
  std::unique_ptr<index::Database> database_;
  std::shared_ptr<index::Collection> collection_;
};

// Milliseconds of every search that one thread makes until `stop`.
std::vector<double> SearchUntil(const Collection& collection, int ef, const std::function<bool()>& stop) {
  std::vector<double> milliseconds;
  for (uint64_t query = 0; !stop(); ++query) {
    const auto begin = SteadyClock::now();
    collection.Search(query % 1000, "", false, ef);
    milliseconds.push_back(Seconds(begin) * 1e3);
  }
  return milliseconds;
}

uint64_t MeasureConcurrent(Collection& collection, uint64_t rows, int seconds, int ef) {
  const auto idle_end = SteadyClock::now() + std::chrono::seconds(std::max(seconds / 4, 3));
  const std::vector<double> idle = SearchUntil(collection, ef, [&] { return SteadyClock::now() >= idle_end; });
  std::atomic<bool> done = false;
  std::atomic<int64_t> tail = 0;
  std::thread writer([&] {
    collection.Write(rows, rows + static_cast<uint64_t>(seconds) * kInsertsPerSecond, kInsertsPerSecond);
    done = true;
  });
  std::thread watcher([&] {
    while (!done) {
      tail = std::max(tail.load(), collection.Stats().tail_images);
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  });
  const auto begin = SteadyClock::now();
  const std::vector<double> busy = SearchUntil(collection, ef, [&] { return done.load(); });
  const double took = Seconds(begin);
  writer.join();
  watcher.join();
  Print({.bench = "ingest",
         .name = absl::StrCat("concurrent: search p99 while 1,000 inserts/s run for ", seconds, " s"),
         .value = Quantile(busy, 0.99),
         .unit = "ms",
         .peer = "the same at rest",
         .peer_value = Quantile(idle, 0.99),
         .higher_is_better = false});
  Print({.bench = "ingest", .name = "concurrent p50", .value = Quantile(busy, 0.5), .unit = "ms",
         .peer = "the same at rest", .peer_value = Quantile(idle, 0.5), .higher_is_better = false});
  Print({.bench = "ingest", .name = "concurrent inserts reached", .value = seconds * kInsertsPerSecond / took,
         .unit = "inserts/s"});
  Print({.bench = "ingest", .name = "concurrent largest unsealed tail", .value = static_cast<double>(tail.load()),
         .unit = "images"});
  return rows + static_cast<uint64_t>(seconds) * kInsertsPerSecond;
}

void MeasureReopen(Collection& collection) {
  const int64_t images = collection.Stats().images;
  auto begin = SteadyClock::now();
  collection.Close();
  const double closing = Seconds(begin);
  begin = SteadyClock::now();
  collection.Open();
  collection.Search(0, "", false, 64);
  const double opening = Seconds(begin);
  const index::CollectionStats stats = collection.Stats();
  if (stats.images != images || stats.graph_backlog > 0) {
    std::fprintf(stderr, "ingest: after opening there are %ld images and %ld are not in the graph\n",
                 static_cast<long>(stats.images), static_cast<long>(stats.graph_backlog));
    std::exit(1);
  }
  Print({.bench = "ingest",
         .name = absl::StrCat("reopen ", images, " x 1536 to the first answer, nothing rebuilt"),
         .value = opening,
         .unit = "s",
         .higher_is_better = false});
  Print({.bench = "ingest", .name = "close", .value = closing, .unit = "s", .higher_is_better = false});
}

// Recall of the ten nearest, and the median time.
struct Filtered {
  double recall = 0;
  double p50_ms = 0;
};

Filtered MeasureFilter(const Collection& collection, const std::string& filter, int queries, int ef) {
  int found = 0, wanted = 0;
  std::vector<double> milliseconds;
  for (int query = 0; query < queries; ++query) {
    const auto number = static_cast<uint64_t>(query) + 5000;
    const std::vector<std::string> expected = collection.Search(number, filter, true, ef);
    const auto begin = SteadyClock::now();
    const std::vector<std::string> ids = collection.Search(number, filter, false, ef);
    milliseconds.push_back(Seconds(begin) * 1e3);
    for (const std::string& id : ids) found += std::count(expected.begin(), expected.end(), id) > 0 ? 1 : 0;
    wanted += static_cast<int>(expected.size());
  }
  return {static_cast<double>(found) / wanted, Quantile(milliseconds, 0.5)};
}

void MeasureFilters(const Collection& collection, int queries, int ef) {
  const Filtered plain = MeasureFilter(collection, "", queries, ef);
  Print({.bench = "ingest", .name = "filtered: without a filter", .value = plain.p50_ms, .unit = "ms p50",
         .higher_is_better = false, .recall = plain.recall});
  for (const auto& [share, below] : {std::pair{"50", 5000}, {"10", 1000}, {"1", 100}, {"0.1", 10}, {"0.01", 1}}) {
    const Filtered with = MeasureFilter(collection, absl::StrCat("slot < ", below), queries, ef);
    Print({.bench = "ingest",
           .name = absl::StrCat("filtered: ", share, " % of the images pass"),
           .value = with.p50_ms,
           .unit = "ms p50",
           .peer = "the same search without a filter",
           .peer_value = plain.p50_ms,
           .higher_is_better = false,
           .recall = with.recall});
  }
}

}  // namespace

int RunIngest(bool quick, int64_t rows_asked) {
  base::SetLogLevel(base::Severity::kWarning);
  const uint64_t rows = rows_asked > 0 ? static_cast<uint64_t>(rows_asked) : (quick ? 10'000 : 1'000'000);
  // The graph's width at which recall@10 reaches 0.99 on this data (sightline-bench ann prints it).
  const int ef = quick ? 100 : 200;
  std::string folder = (std::filesystem::temp_directory_path() / "sightline-bench-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return 1;
  PrintMachine("ingest");
  {
    Collection collection(folder + "/data", rows);
    auto begin = SteadyClock::now();
    collection.Write(0, rows, 0);
    Print({.bench = "ingest", .name = "bulk: durable descriptors", .value = static_cast<double>(rows) / Seconds(begin),
           .unit = "records/s"});
    collection.AwaitUpkeep();
    Print({.bench = "ingest", .name = "bulk: until everything is sealed and in the graph", .value = Seconds(begin),
           .unit = "s", .higher_is_better = false});
    MeasureConcurrent(collection, rows, quick ? 5 : 60, ef);
    MeasureTokens(quick);
    collection.AwaitUpkeep();
    MeasureReopen(collection);
    MeasureFilters(collection, quick ? 50 : 300, ef);
  }
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace sightline::bench
