// A second peer of the graph: FAISS's HNSW over our own codes, by the extension point it offers for it.
//
// Threading: one thread at a time; AddBlock shares its work among as many OpenMP threads as the constructor was given.
// Ownership: refers to the codes, which outlive it. Failure: FAISS throws when memory is exhausted.
//
//   FaissPeer peer(codes, /*m=*/16, /*ef_construction=*/200, /*threads=*/2);
//   peer.AddBlock(rows.data(), count);  // the next `count` rows of the table
//   peer.SetEf(64);
//   std::vector<uint64_t> nearest = peer.Search(query, 16);
#ifndef SIGHTLINE_TESTS_BENCH_ANN_FAISS_H_
#define SIGHTLINE_TESTS_BENCH_ANN_FAISS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "index/ann/code_table.h"

namespace sightline::bench {

class FaissPeer {
 public:
  FaissPeer(const index::CodeTable& codes, int m, int ef_construction, int threads);
  ~FaissPeer();

  void AddBlock(const float* rows, size_t count);
  void SetEf(size_t ef);
  std::vector<uint64_t> Search(const float* query, size_t k) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_ANN_FAISS_H_
