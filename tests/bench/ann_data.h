// Descriptors for measuring approximate search: unit vectors of 1,536 values, made row by row from a seed, so that a
// million of them need no 6 GB.
//
// A row is A z + noise, normalised. A is a fixed random matrix from kLatent dimensions to 1,536: real descriptors, too,
// vary in far fewer directions than they have values. z is a cluster's centre plus the row's own deviation from it;
// about kClusterRows rows share a cluster, as the photos of one place do. The noise is uniform in every value. Queries
// are further members of random clusters. The constants are chosen so that hnswlib with M 16, efConstruction 200 and
// efSearch 64 finds 90 to 97 % of the ten nearest from a hundred thousand rows to a million: neither so easy that every
// graph looks good nor so hard that no real collection is like it.
//
// Threading: every method is const and may be called from any thread. Ownership: none. Failure: none.
//
//   const AnnData data(/*rows=*/100'000);
//   std::vector<float> row(AnnData::kDim);
//   data.Row(17, row.data());
#ifndef SIGHTLINE_TESTS_BENCH_ANN_DATA_H_
#define SIGHTLINE_TESTS_BENCH_ANN_DATA_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sightline::bench {

class AnnData {
 public:
  static constexpr size_t kDim = 1536;
  static constexpr size_t kLatent = 32;
  static constexpr uint64_t kClusterRows = 100;

  explicit AnnData(uint64_t rows);

  // kDim values each.
  void Row(uint64_t row, float* out) const;
  void Query(uint64_t query, float* out) const;
  // The cluster of a row: an attribute that goes with the descriptor.
  uint64_t ClusterOf(uint64_t row) const;
  uint64_t rows() const { return rows_; }

 private:
  void Member(uint64_t cluster, uint64_t seed, float* out) const;

  const uint64_t rows_;
  const uint64_t clusters_;
  const float spread_;
  std::vector<float> basis_;  // kLatent x kDim
};

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_ANN_DATA_H_
