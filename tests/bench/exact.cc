// `sightline-bench exact`: one query, and eight at once, compared with every row.
//
// The data is 100,000 unit vectors of 1536 values from a fixed seed: 1,000 centres, 100 rows around each, a row being
// its centre and as much noise again (cosine about 0.5 within a cluster, 0 between clusters). The best ten of a query
// lie among the hundred of a cluster whose scores differ by little more than int8 codes are off by. A query is a row
// with some noise (cosine about 0.8 to that row).
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "base/parallel.h"
#include "base/thread_pool.h"
#include "index/ann/exact_scan.h"
#include "index/kernels/aligned.h"
#include "index/kernels/inner_product.h"
#include "tests/bench/bench.h"
#include "tests/bench/exact_faiss.h"
#include "tests/bench/report.h"

namespace sightline::bench {
namespace {

using index::ScanResult;
using index::kernels::AlignedVector;

constexpr size_t kDim = 1536;
constexpr size_t kRowsOfACluster = 100;
constexpr size_t kQueries = 48;
constexpr size_t kBlock = 8;
constexpr size_t kBest = 10;
constexpr int kThreads = 2;

// Deviations of a value that make noise as long as the centre, and half as long again as a row needs for a cosine of
// 0.8.
const float kUnitNoise = 1 / std::sqrt(static_cast<float>(kDim));
const float kQueryNoise = 0.75f * kUnitNoise;

double Milliseconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

double MedianOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void WriteNear(const float* centre, float noise, std::mt19937& random, float* out) {
  std::normal_distribution<float> normal(0, noise);
  double norm = 0;
  for (size_t i = 0; i < kDim; ++i) {
    out[i] = (centre == nullptr ? 0 : centre[i]) + normal(random);
    norm += static_cast<double>(out[i]) * out[i];
  }
  for (size_t i = 0; i < kDim; ++i) out[i] = static_cast<float>(out[i] / std::sqrt(norm));
}

struct Data {
  explicit Data(size_t rows_wanted) : rows(rows_wanted * kDim), queries(kQueries * kDim) {
    std::mt19937 random(20240601);
    std::vector<float> centre(kDim);
    for (size_t row = 0; row < rows_wanted; ++row) {
      if (row % kRowsOfACluster == 0) WriteNear(nullptr, kUnitNoise, random, centre.data());
      WriteNear(centre.data(), kUnitNoise, random, rows.data() + row * kDim);
    }
    for (size_t query = 0; query < kQueries; ++query) {
      WriteNear(rows.data() + random() % rows_wanted * kDim, kQueryNoise, random, queries.data() + query * kDim);
    }
  }

  size_t count() const { return rows.size() / kDim; }
  const float* query(size_t i) const { return queries.data() + i % kQueries * kDim; }

  AlignedVector<float> rows;
  AlignedVector<float> queries;
};

class Source : public index::RowSource {
 public:
  explicit Source(const Data& data) : data_(data) {}
  void Score(const float* query, absl::Span<const uint32_t> rows, float* out) override {
    for (size_t i = 0; i < rows.size(); ++i) {
      index::kernels::InnerProducts(query, data_.rows.data() + rows[i] * kDim, kDim, kDim, 1, out + i);
    }
  }

 private:
  const Data& data_;
};

// What the machine needs to read so many bytes and do nothing with them.
double ReadMilliseconds(base::ThreadPool& pool, const void* memory, size_t bytes) {
  const auto* words = static_cast<const uint64_t*>(memory);
  std::atomic<uint64_t> keep = 0;
  return Milliseconds([&] {
    base::ParallelFor(&pool, kThreads, [&](int part) {
      const size_t end = bytes / sizeof(uint64_t) / kThreads * static_cast<size_t>(part + 1);
      uint64_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
      for (size_t i = bytes / sizeof(uint64_t) / kThreads * static_cast<size_t>(part); i + 8 <= end; i += 8) {
        a |= words[i], b |= words[i + 1], c |= words[i + 2], d |= words[i + 3];
        e |= words[i + 4], f |= words[i + 5], g |= words[i + 6], h |= words[i + 7];
      }
      keep |= a | b | c | d | e | f | g | h;
    });
  });
}

class Bench {
 public:
  explicit Bench(size_t rows)
      : data_(rows),
        source_(data_),
        codes_(index::kernels::CodeLayout(kDim), /*chunk_rows=*/32768, static_cast<uint32_t>(rows)),
        pool_({.name = "exact", .threads = kThreads - 1, .on_thread_start = {}}),
        run_{.pool = &pool_, .parts = kThreads},
        faiss_(data_.rows.data(), rows, kDim, kThreads) {
    for (uint32_t row = 0; row < rows; ++row) {
      index::kernels::EncodeRow(codes_.layout(), data_.rows.data() + row * kDim, codes_.MutableRow(row));
    }
  }

  void One(size_t rounds) {
    faiss_.Tune(data_.query(0), 1, kBest);
    std::vector<double> floats, codes, stock, tuned, read_floats, read_codes;
    double found = 0, rescored = 0;
    // All in turns: what else the machine does meets all alike.
    for (size_t round = 0; round < rounds; ++round) {
      const index::ScanRequest request{.query = data_.query(round), .k = kBest};
      ScanResult by_floats, by_codes;
      read_floats.push_back(ReadMilliseconds(pool_, data_.rows.data(), data_.rows.size() * sizeof(float)));
      floats.push_back(Milliseconds([&] { by_floats = Floats({&request, 1}).front(); }));
      read_codes.push_back(ReadMilliseconds(pool_, data_.rows.data(), data_.count() * codes_.layout().stride));
      codes.push_back(Milliseconds([&] { by_codes = Codes({&request, 1}).front(); }));
      faiss_.UseDefaults();
      stock.push_back(faiss_.Search(request.query, 1, kBest));
      faiss_.UseTuned();
      tuned.push_back(faiss_.Search(request.query, 1, kBest));
      found += Common(by_floats, by_codes);
      rescored += static_cast<double>(by_codes.rescored);
    }
    const double count = static_cast<double>(rounds);
    // First beside FAISS as it comes, which for one query is its own loop on one thread; then beside the fastest way
    // that it can be told to go.
    for (const bool as_it_comes : {true, false}) {
      const double peer = MedianOf(as_it_comes ? stock : tuned);
      const std::string peer_name = as_it_comes ? "FAISS IndexFlatIP as it comes" : faiss_.name();
      const std::string suffix = as_it_comes ? "" : " beside tuned FAISS";
      Row row = PeerRow("float32 one query" + suffix, MedianOf(floats), peer, peer_name);
      row.limit = MedianOf(read_floats);
      Print(row);
      row = PeerRow("int8 and re-scoring, certified exact, one query" + suffix, MedianOf(codes), peer, peer_name);
      row.limit = MedianOf(read_codes);
      row.recall = found / count / kBest;
      Print(row);
    }
    Print(PlainRow("int8 rows scored again for a query", rescored / count, "rows"));
    const double bytes = static_cast<double>(data_.rows.size() * sizeof(float));
    Print(PlainRow("read bandwidth, 2 threads", bytes / 1e6 / MedianOf(read_floats), "GB/s"));
  }

  void Block(size_t rounds) {
    faiss_.Tune(data_.query(0), kBlock, kBest);
    std::vector<double> floats, codes, peer;
    double found = 0;
    for (size_t round = 0; round < rounds; ++round) {
      const size_t first = round % (kQueries / kBlock) * kBlock;
      std::vector<index::ScanRequest> requests;
      for (size_t q = 0; q < kBlock; ++q) {
        requests.push_back({.query = data_.query(first + q), .k = kBest});
      }
      std::vector<ScanResult> by_floats, by_codes;
      floats.push_back(Milliseconds([&] { by_floats = Floats(requests); }));
      codes.push_back(Milliseconds([&] { by_codes = Codes(requests); }));
      peer.push_back(faiss_.Search(data_.query(first), kBlock, kBest));
      for (size_t q = 0; q < kBlock; ++q) found += Common(by_floats[q], by_codes[q]);
    }
    Print(PeerRow("float32 block of 8 queries", MedianOf(floats), MedianOf(peer), faiss_.name()));
    Row row = PeerRow("int8 block of 8 queries, certified exact", MedianOf(codes), MedianOf(peer), faiss_.name());
    row.recall = found / static_cast<double>(rounds * kBlock * kBest);
    Print(row);
  }

 private:
  std::vector<ScanResult> Floats(absl::Span<const index::ScanRequest> requests) {
    return index::ScanFloatsBlock({data_.rows.data(), kDim, kDim}, 0, static_cast<uint32_t>(data_.count()), requests,
                                  run_);
  }
  std::vector<ScanResult> Codes(absl::Span<const index::ScanRequest> requests) {
    return index::ScanCodesBlock(codes_, 0, static_cast<uint32_t>(data_.count()), requests, source_, run_);
  }

  Row PeerRow(const std::string& name, double value, double peer_value, const std::string& peer) const {
    Row row;
    row.bench = "exact";
    row.name = name + ", " + Size();
    row.value = value;
    row.unit = "ms";
    row.peer = peer;
    row.peer_value = peer_value;
    row.higher_is_better = false;
    return row;
  }
  static Row PlainRow(const std::string& name, double value, const std::string& unit) {
    Row row;
    row.bench = "exact";
    row.name = name;
    row.value = value;
    row.unit = unit;
    return row;
  }
  std::string Size() const { return std::to_string(data_.count() / 1000) + "k x " + std::to_string(kDim); }

  // How many of the best of one are among the best of the other, by row and score.
  static double Common(const ScanResult& a, const ScanResult& b) {
    size_t common = 0;
    for (size_t i = 0; i < std::min(a.best.size(), b.best.size()); ++i) {
      common += a.best[i].row == b.best[i].row && a.best[i].score == b.best[i].score ? 1 : 0;
    }
    return static_cast<double>(common);
  }

  const Data data_;
  Source source_;
  index::CodeTable codes_;
  base::ThreadPool pool_;
  const index::ScanRun run_;
  FlatFaiss faiss_;
};

}  // namespace

int RunExact(bool quick) {
  PrintMachine("exact");
  Bench bench(quick ? 10'000 : 100'000);
  bench.One(quick ? 9 : 25);
  bench.Block(quick ? 3 : 6);
  return 0;
}

}  // namespace sightline::bench
