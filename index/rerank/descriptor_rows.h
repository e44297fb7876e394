// DescriptorRows: a view of descriptors that stand in memory one after the other, as the methods of this folder take
// them.
//
// Threading: a value. Ownership: none; what it points to must outlive it. Failure: none.
//
//   const DescriptorRows rows{.data = floats.data(), .count = 400, .dim = 1536, .stride = 1536};
#ifndef SIGHTLINE_INDEX_RERANK_DESCRIPTOR_ROWS_H_
#define SIGHTLINE_INDEX_RERANK_DESCRIPTOR_ROWS_H_

#include <algorithm>
#include <cstddef>

namespace sightline::index::rerank {

struct DescriptorRows {
  const float* data = nullptr;
  size_t count = 0;
  size_t dim = 0;
  size_t stride = 0;  // floats from one row to the next, at least dim

  const float* Row(size_t i) const { return data + i * stride; }
  DescriptorRows First(size_t n) const { return {data, std::min(n, count), dim, stride}; }
};

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_DESCRIPTOR_ROWS_H_
