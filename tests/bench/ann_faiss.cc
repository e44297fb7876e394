#include "tests/bench/ann_faiss.h"

#include <faiss/IndexHNSW.h>
#include <faiss/impl/DistanceComputer.h>
#include <omp.h>

#include <optional>

#include "index/kernels/int8_code.h"

namespace sightline::bench {
namespace {

using index::CodeTable;
using index::kernels::Int8Query;

// Scores by our kernels, negated: FAISS takes the smallest for the nearest.
class CodeDistances : public faiss::DistanceComputer {
 public:
  explicit CodeDistances(const CodeTable& codes) : codes_(codes) {}

  void set_query(const float* x) override { query_.emplace(codes_.layout(), x); }
  float operator()(int64_t i) override { return Distance(*query_, i); }
  float symmetric_dis(int64_t i, int64_t j) override {
    const uint8_t* row = codes_.Row(static_cast<uint32_t>(i));
    if (!other_) {
      other_.emplace(codes_.layout(), row);
    } else if (i != other_row_) {
      other_->Assign(row);
    }
    other_row_ = i;
    return Distance(*other_, j);
  }

 private:
  float Distance(const Int8Query& query, int64_t i) const {
    const uint8_t* row = codes_.Row(static_cast<uint32_t>(i));
    float score = 0;
    index::kernels::Int8ScoresAt(query, &row, 1, &score);
    return -score;
  }

  const CodeTable& codes_;
  std::optional<Int8Query> query_;
  std::optional<Int8Query> other_;
  int64_t other_row_ = -1;
};

// What FAISS's HNSW takes for the storage of its vectors: the table of codes, which is filled by others.
class CodeStorage : public faiss::Index {
 public:
  explicit CodeStorage(const CodeTable& codes)
      : faiss::Index(static_cast<int64_t>(codes.layout().dim), faiss::METRIC_L2), codes_(codes) {}

  void add(int64_t n, const float*) override { ntotal += n; }
  void reset() override { ntotal = 0; }
  void search(int64_t, const float*, int64_t, float*, int64_t*, const faiss::SearchParameters*) const override {}
  faiss::DistanceComputer* get_distance_computer() const override { return new CodeDistances(codes_); }

 private:
  const CodeTable& codes_;
};

}  // namespace

class FaissPeer::Impl {
 public:
  Impl(const CodeTable& codes, int m, int ef_construction, int threads)
      : storage_(codes), index_(&storage_, m), threads_(threads) {
    index_.hnsw.efConstruction = ef_construction;
  }

  CodeStorage storage_;
  faiss::IndexHNSW index_;
  const int threads_;
};

FaissPeer::FaissPeer(const CodeTable& codes, int m, int ef_construction, int threads)
    : impl_(std::make_unique<Impl>(codes, m, ef_construction, threads)) {}

FaissPeer::~FaissPeer() = default;

void FaissPeer::AddBlock(const float* rows, size_t count) {
  omp_set_num_threads(impl_->threads_);
  impl_->index_.add(static_cast<int64_t>(count), rows);
  omp_set_num_threads(1);
}

void FaissPeer::SetEf(size_t ef) { impl_->index_.hnsw.efSearch = static_cast<int>(ef); }

std::vector<uint64_t> FaissPeer::Search(const float* query, size_t k) const {
  std::vector<float> distances(k);
  std::vector<int64_t> labels(k);
  impl_->index_.search(1, query, static_cast<int64_t>(k), distances.data(), labels.data());
  std::vector<uint64_t> rows;
  for (const int64_t label : labels) {
    if (label >= 0) rows.push_back(static_cast<uint64_t>(label));
  }
  return rows;
}

}  // namespace sightline::bench
