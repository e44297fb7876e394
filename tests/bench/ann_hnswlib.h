// The peer of the graph: hnswlib over float32, compiled for the machine it runs on.
//
// Threading: Add and Search from many threads, but not Add beside Search; SetEf alone. Ownership: copies what it is
// given. Failure: ends the process when memory is exhausted.
//
//   HnswlibPeer peer(dim, rows, /*m=*/16, /*ef_construction=*/200);
//   peer.Add(0, descriptor);
//   peer.SetEf(64);
//   std::vector<uint64_t> nearest = peer.Search(query, 10);
#ifndef SIGHTLINE_TESTS_BENCH_ANN_HNSWLIB_H_
#define SIGHTLINE_TESTS_BENCH_ANN_HNSWLIB_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace sightline::bench {

class HnswlibPeer {
 public:
  HnswlibPeer(size_t dim, size_t max_rows, size_t m, size_t ef_construction);
  ~HnswlibPeer();

  void Add(uint64_t row, const float* descriptor);
  void SetEf(size_t ef);
  std::vector<uint64_t> Search(const float* query, size_t k) const;
  // What its lists and vectors take; its locks and its table of labels come on top.
  int64_t memory_bytes() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_ANN_HNSWLIB_H_
