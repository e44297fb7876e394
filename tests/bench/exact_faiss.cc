#include "tests/bench/exact_faiss.h"

#include <faiss/IndexFlat.h>
#include <faiss/utils/distances.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <limits>
#include <vector>

namespace sightline::bench {
namespace {

struct Way {
  const char* name;
  int blas_from;   // queries from which on BLAS is used
  int block_rows;  // rows of one call of BLAS
};

constexpr Way kWays[] = {
    {"own loops", std::numeric_limits<int>::max(), 1024},
    {"BLAS, blocks of 256", 1, 256},
    {"BLAS, blocks of 1024", 1, 1024},
    {"BLAS, blocks of 4096", 1, 4096},
};

// What FAISS 1.7.3 sets itself.
constexpr Way kDefaults = {"defaults", 20, 1024};

void Use(const Way& way) {
  faiss::distance_compute_blas_threshold = way.blas_from;
  faiss::distance_compute_blas_database_bs = way.block_rows;
}

}  // namespace

FlatFaiss::FlatFaiss(const float* rows, size_t count, size_t dim, int threads)
    : index_(std::make_unique<faiss::IndexFlatIP>(static_cast<int64_t>(dim))) {
  omp_set_num_threads(threads);
  index_->add(static_cast<int64_t>(count), rows);
}

FlatFaiss::~FlatFaiss() = default;

void FlatFaiss::Tune(const float* queries, size_t count, size_t k) {
  double least = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < std::size(kWays); ++i) {
    Use(kWays[i]);
    // The first one warms up.
    double time = Search(queries, count, k);
    time = std::min(time, Search(queries, count, k));
    if (time < least) {
      least = time;
      way_ = i;
    }
  }
  Use(kWays[way_]);
  name_ = std::string("FAISS IndexFlatIP, ") + kWays[way_].name;
}

void FlatFaiss::UseDefaults() { Use(kDefaults); }

void FlatFaiss::UseTuned() { Use(kWays[way_]); }

double FlatFaiss::Search(const float* queries, size_t count, size_t k) {
  std::vector<float> scores(count * k);
  std::vector<int64_t> rows(count * k);
  const auto start = std::chrono::steady_clock::now();
  index_->search(static_cast<int64_t>(count), queries, static_cast<int64_t>(k), scores.data(),
                 rows.data());
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace sightline::bench
