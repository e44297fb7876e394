#include "index/rerank/gram.h"

#include <algorithm>
#include <cstddef>

#include "index/kernels/inner_product.h"

namespace sightline::index::rerank {
namespace {

// What the kernel takes in one go: 24 KB at 1536 values, which the first-level cache keeps.
constexpr size_t kColumnBlock = 4;
// Rows that the columns are compared with before the next columns come: 384 KB, which the second level keeps.
constexpr size_t kRowBlock = 64;

}  // namespace

std::vector<float> Gram(const DescriptorRows& rows) {
  const size_t n = rows.count;
  std::vector<float> gram(n * n);
  std::vector<const float*> pointers(n);
  for (size_t i = 0; i < n; ++i) pointers[i] = rows.Row(i);
  for (size_t first = 0; first < n; first += kRowBlock) {
    const size_t last = std::min(n, first + kRowBlock);
    for (size_t column = 0; column < last; column += kColumnBlock) {
      const size_t columns = std::min(kColumnBlock, n - column);
      const size_t from = std::max(first, column);
      kernels::InnerProductsBlock(pointers.data() + from, last - from, rows.Row(column), rows.dim, rows.stride, columns,
                                  gram.data() + from * n + column, n);
    }
  }
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i + 1; j < n; ++j) gram[i * n + j] = gram[j * n + i];
  }
  return gram;
}

}  // namespace sightline::index::rerank
