// sightline-bench ann: the graph beside hnswlib on the same data, and, up to kFaissRows rows, beside FAISS's HNSW over
// our own codes, whose build takes as long as both others.
//
// Search is measured from the float32 query to ten rows with their exact scores: making the int8 query, the graph, and
// comparing the best rows again in float16, read by pread from a file as a sealed segment's are.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "index/ann/graph.h"
#include "index/kernels/float16.h"
#include "index/kernels/inner_product.h"
#include "tests/bench/ann_data.h"
#include "tests/bench/ann_faiss.h"
#include "tests/bench/ann_hnswlib.h"
#include "tests/bench/bench.h"
#include "tests/bench/report.h"

namespace sightline::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kDim = AnnData::kDim;
constexpr size_t kTop = 10;
constexpr uint64_t kQueries = 300;
constexpr uint64_t kBlockRows = 4096;
constexpr int kThreads = 2;
constexpr int kM = 16;
constexpr int kEfConstruction = 200;
constexpr double kRecall = 0.99;
constexpr uint64_t kFaissRows = 100'000;
// Rows compared again in full precision. The scores of codes are off by less than what separates most neighbours.
constexpr size_t kRescored = 16;
constexpr int kRounds = 3;
constexpr double kSearchSeconds = 1;

double SecondsSince(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

// Runs `work(i)` for i < count on kThreads threads.
void InParallel(uint64_t count, const std::function<void(uint64_t)>& work) {
  std::atomic<uint64_t> next = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (uint64_t i; (i = next.fetch_add(1)) < count;) work(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// float16 rows in a file without a name.
class RowFile {
 public:
  RowFile() {
    std::string path = "/var/tmp/sightline-bench-XXXXXX";
    file_ = ::mkstemp(path.data());
    if (file_ < 0) {
      std::perror("sightline-bench: cannot create a file in /var/tmp");
      std::exit(1);
    }
    ::unlink(path.c_str());
  }
  ~RowFile() { ::close(file_); }
  RowFile(const RowFile&) = delete;
  RowFile& operator=(const RowFile&) = delete;

  void Write(uint64_t row, const float* values) {
    std::vector<uint16_t> halves(kDim);
    for (size_t i = 0; i < kDim; ++i) halves[i] = index::kernels::Float16FromFloat(values[i]);
    if (::pwrite(file_, halves.data(), kBytes, static_cast<off_t>(row * kBytes)) != static_cast<ssize_t>(kBytes)) {
      std::perror("sightline-bench: cannot write to /var/tmp");
      std::exit(1);
    }
  }
  void Read(uint64_t row, uint16_t* values) const {
    if (::pread(file_, values, kBytes, static_cast<off_t>(row * kBytes)) != static_cast<ssize_t>(kBytes)) {
      std::perror("sightline-bench: cannot read from /var/tmp");
      std::exit(1);
    }
  }

 private:
  static constexpr size_t kBytes = kDim * sizeof(uint16_t);
  int file_ = -1;
};

// Everything that is built in one pass over the rows.
struct Built {
  explicit Built(uint64_t rows)
      : data(rows),
        codes(index::kernels::CodeLayout(kDim), 32768, static_cast<uint32_t>(rows)),
        graph(codes, {.m = kM, .ef_construction = kEfConstruction}),
        peer(kDim, rows, kM, kEfConstruction),
        queries(kQueries * kDim),
        nearest(kQueries, index::TopK(kTop)) {
    if (rows <= kFaissRows) faiss = std::make_unique<FaissPeer>(codes, kM, kEfConstruction, kThreads);
  }

  const AnnData data;
  index::CodeTable codes;
  index::Graph graph;
  HnswlibPeer peer;
  std::unique_ptr<FaissPeer> faiss;  // null beyond kFaissRows
  RowFile file;
  std::vector<float> queries;
  std::vector<index::TopK> nearest;
  std::vector<std::vector<index::ScoredRow>> truth;
  double graph_seconds = 0;
  double peer_seconds = 0;
  double faiss_seconds = 0;

  const float* query(uint64_t i) const { return queries.data() + i * kDim; }
};

// Rows are made, compared with the queries, written to the file and inserted into both graphs block by block, so that
// neither build is favoured by what the machine does meanwhile. Only encoding and inserting is timed.
void Build(Built& built) {
  InParallel(kQueries, [&](uint64_t i) { built.data.Query(i, built.queries.data() + i * kDim); });
  std::vector<float> block(kBlockRows * kDim);
  for (uint64_t first = 0; first < built.data.rows(); first += kBlockRows) {
    const uint64_t count = std::min(kBlockRows, built.data.rows() - first);
    const auto row = [&](uint64_t i) { return block.data() + i * kDim; };
    InParallel(count, [&](uint64_t i) {
      built.data.Row(first + i, row(i));
      built.file.Write(first + i, row(i));
    });
    InParallel(kQueries, [&](uint64_t q) {
      std::vector<float> scores(count);
      index::kernels::InnerProducts(built.query(q), block.data(), kDim, kDim, count, scores.data());
      for (uint64_t i = 0; i < count; ++i) built.nearest[q].Add(scores[i], first + i);
    });

    Clock::time_point begin = Clock::now();
    for (uint64_t i = 0; i < count; ++i) {
      index::kernels::EncodeRow(built.codes.layout(), row(i), built.codes.MutableRow(static_cast<uint32_t>(first + i)));
    }
    InParallel(count, [&](uint64_t i) { built.graph.Insert(static_cast<uint32_t>(first + i)); });
    built.graph_seconds += SecondsSince(begin);

    begin = Clock::now();
    InParallel(count, [&](uint64_t i) { built.peer.Add(first + i, row(i)); });
    built.peer_seconds += SecondsSince(begin);

    if (built.faiss == nullptr) continue;
    begin = Clock::now();
    built.faiss->AddBlock(block.data(), count);
    built.faiss_seconds += SecondsSince(begin);
  }
  for (index::TopK& top : built.nearest) built.truth.push_back(std::move(top).Take());
}

using Searcher = std::function<std::vector<uint64_t>(uint64_t)>;

double RecallOf(const Built& built, const Searcher& search) {
  uint64_t hits = 0;
  for (uint64_t q = 0; q < kQueries; ++q) {
    const std::vector<uint64_t> found = search(q);
    for (const index::ScoredRow& row : built.truth[q]) {
      hits += static_cast<uint64_t>(std::count(found.begin(), found.end(), row.row));
    }
  }
  return static_cast<double>(hits) / static_cast<double>(kQueries * kTop);
}

// Queries per second over all queries, again and again. One thread.
double SearchRate(const Searcher& search) {
  const Clock::time_point begin = Clock::now();
  uint64_t searches = 0;
  while (SecondsSince(begin) < kSearchSeconds) {
    for (uint64_t q = 0; q < kQueries; ++q) search(q);
    searches += kQueries;
  }
  return static_cast<double>(searches) / SecondsSince(begin);
}

struct Tuned {
  size_t ef = 0;
  double recall = 0;
};

// The smallest ef, in steps of a sixteenth, that reaches the recall asked for.
Tuned Tune(const Built& built, const Searcher& search, const std::function<void(size_t)>& set_ef) {
  Tuned tuned;
  for (tuned.ef = 16; tuned.ef <= 4096; tuned.ef += std::max<size_t>(tuned.ef / 16, 2)) {
    set_ef(tuned.ef);
    tuned.recall = RecallOf(built, search);
    if (tuned.recall >= kRecall) break;
  }
  return tuned;
}

// The best of `rows` by their scores in float16.
std::vector<uint64_t> Rescore(const Built& built, const float* query, std::vector<uint64_t> rows) {
  uint16_t halves[kDim];
  std::vector<index::ScoredRow> exact;
  for (const uint64_t row : rows) {
    built.file.Read(row, halves);
    float score = 0;
    index::kernels::InnerProductsHalf(query, halves, kDim, kDim, 1, &score);
    exact.push_back({score, row});
  }
  std::sort(exact.begin(), exact.end(), index::Better);
  rows.clear();
  for (size_t i = 0; i < std::min(kTop, exact.size()); ++i) rows.push_back(exact[i].row);
  return rows;
}

std::vector<uint64_t> SearchGraph(const Built& built, const float* query, size_t ef) {
  const index::kernels::Int8Query codes(built.codes.layout(), query);
  const auto every = [](uint32_t) { return true; };
  std::vector<uint64_t> rows;
  for (const auto& row : built.graph.Search({.query = &codes, .k = kRescored, .ef = ef, .accept = every}).best) {
    rows.push_back(row.row);
  }
  return Rescore(built, query, std::move(rows));
}

}  // namespace

int RunAnn(bool quick, int64_t rows) {
  PrintMachine("ann");
  if (rows == 0) rows = quick ? 20'000 : 1'000'000;
  Built built(static_cast<uint64_t>(rows));
  Build(built);
  const std::string data = std::to_string(rows) + " x " + std::to_string(kDim);

  const Searcher with_peer = [&](uint64_t q) { return built.peer.Search(built.query(q), kTop); };
  size_t ef = 0;
  const Searcher with_graph = [&](uint64_t q) { return SearchGraph(built, built.query(q), ef); };
  const Searcher with_faiss = [&](uint64_t q) {
    return Rescore(built, built.query(q), built.faiss->Search(built.query(q), kRescored));
  };

  built.peer.SetEf(64);
  Print({.bench = "ann",
         .name = "data " + data,
         .value = RecallOf(built, with_peer),
         .unit = "hnswlib's recall@10, M 16, efConstruction 200, efSearch 64"});

  const Tuned peer = Tune(built, with_peer, [&](size_t value) { built.peer.SetEf(value); });
  const Tuned ours = Tune(built, with_graph, [&](size_t value) { ef = value; });
  Tuned faiss;
  if (built.faiss != nullptr) faiss = Tune(built, with_faiss, [&](size_t value) { built.faiss->SetEf(value); });
  double peer_rate = 0, our_rate = 0, faiss_rate = 0;
  // In turns, and the best of each: the machine may be shared.
  for (int round = 0; round < kRounds; ++round) {
    our_rate = std::max(our_rate, SearchRate(with_graph));
    peer_rate = std::max(peer_rate, SearchRate(with_peer));
    if (built.faiss != nullptr) faiss_rate = std::max(faiss_rate, SearchRate(with_faiss));
  }
  const std::string peer_name = "hnswlib float32, efSearch " + std::to_string(peer.ef);
  const std::string faiss_name = "FAISS HNSW over our codes, efSearch " + std::to_string(faiss.ef);
  const std::string setting = data + ", one thread, ef " + std::to_string(ours.ef);
  Print({.bench = "ann",
         .name = "search " + setting,
         .value = our_rate,
         .unit = "queries/s",
         .peer = peer_name,
         .peer_value = peer_rate,
         .recall = ours.recall});
  if (built.faiss != nullptr) {
    Print({.bench = "ann",
           .name = "search " + setting + ", FAISS",
           .value = our_rate,
           .unit = "queries/s",
           .peer = faiss_name,
           .peer_value = faiss_rate,
           .recall = ours.recall});
  }
  const int64_t bytes = built.graph.memory_bytes() + (rows + built.codes.chunk_rows() - 1) / built.codes.chunk_rows() *
                                                         static_cast<int64_t>(built.codes.chunk_bytes());
  Print({.bench = "ann",
         .name = "search memory " + data,
         .value = static_cast<double>(bytes),
         .unit = "bytes",
         .peer = "hnswlib float32",
         .peer_value = static_cast<double>(built.peer.memory_bytes()),
         .higher_is_better = false});
  const auto print_build = [&](const std::string& name, const std::string& against, double seconds) {
    Print({.bench = "ann",
           .name = name,
           .value = built.graph_seconds,
           .unit = "s",
           .peer = against,
           .peer_value = seconds,
           .higher_is_better = false});
  };
  print_build("build " + data + ", 2 threads", "hnswlib float32", built.peer_seconds);
  if (built.faiss != nullptr) {
    print_build("build " + data + ", 2 threads, FAISS", "FAISS HNSW over our codes", built.faiss_seconds);
  }
  return 0;
}

}  // namespace sightline::bench
