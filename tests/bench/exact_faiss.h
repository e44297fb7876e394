// The peer of `sightline-bench exact`: the distribution's FAISS, IndexFlatIP.
//
// Threading: one thread at a time; FAISS runs on as many as it was told. Failure: exceptions of FAISS end the bench.
#ifndef SIGHTLINE_TESTS_BENCH_EXACT_FAISS_H_
#define SIGHTLINE_TESTS_BENCH_EXACT_FAISS_H_

#include <cstddef>
#include <memory>
#include <string>

namespace faiss {
struct IndexFlatIP;
}  // namespace faiss

namespace sightline::bench {

class FlatFaiss {
 public:
  // Copies `count` rows of `dim` values.
  FlatFaiss(const float* rows, size_t count, size_t dim, int threads);
  ~FlatFaiss();
  FlatFaiss(const FlatFaiss&) = delete;
  FlatFaiss& operator=(const FlatFaiss&) = delete;

  // Finds which of FAISS's ways, its own loops or BLAS with blocks of several sizes, takes the least time for `count`
  // queries at once, and keeps to it.
  void Tune(const float* queries, size_t count, size_t k);
  // As FAISS is without being told otherwise, and back to the way that Tune found.
  void UseDefaults();
  void UseTuned();
  // Milliseconds for `count` queries at once.
  double Search(const float* queries, size_t count, size_t k);

  // Of the tuned way.
  const std::string& name() const { return name_; }

 private:
  std::unique_ptr<faiss::IndexFlatIP> index_;
  std::string name_;
  size_t way_ = 0;
};

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_EXACT_FAISS_H_
