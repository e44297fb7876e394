// MemorySource: rows in memory as a RowSource, for tests of scans.
//
// Threading: as the rows, which it borrows. Failure: none.
#ifndef SIGHTLINE_TESTS_INDEX_MEMORY_SOURCE_H_
#define SIGHTLINE_TESTS_INDEX_MEMORY_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "index/ann/exact_scan.h"
#include "index/kernels/inner_product.h"

namespace sightline::index {

class MemorySource : public RowSource {
 public:
  using Rows = std::vector<std::vector<float>>;

  explicit MemorySource(const Rows& rows) : rows_(rows) {}
  void Score(const float* query, absl::Span<const uint32_t> rows, float* out) override {
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::vector<float>& row = rows_[rows[i]];
      kernels::InnerProducts(query, row.data(), row.size(), row.size(), 1, out + i);
    }
  }

 private:
  const Rows& rows_;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_TESTS_INDEX_MEMORY_SOURCE_H_
