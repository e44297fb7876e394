// Compiled with -O3 -march=native: hnswlib chooses its distances when it is compiled.
#include "tests/bench/ann_hnswlib.h"

#include <hnswlib/hnswlib.h>

namespace sightline::bench {

class HnswlibPeer::Impl {
 public:
  Impl(size_t dim, size_t max_rows, size_t m, size_t ef_construction)
      : space_(dim), index_(&space_, max_rows, m, ef_construction) {}

  hnswlib::InnerProductSpace space_;
  hnswlib::HierarchicalNSW<float> index_;
};

HnswlibPeer::HnswlibPeer(size_t dim, size_t max_rows, size_t m, size_t ef_construction)
    : impl_(std::make_unique<Impl>(dim, max_rows, m, ef_construction)) {}

HnswlibPeer::~HnswlibPeer() = default;

void HnswlibPeer::Add(uint64_t row, const float* descriptor) { impl_->index_.addPoint(descriptor, row); }

void HnswlibPeer::SetEf(size_t ef) { impl_->index_.setEf(ef); }

std::vector<uint64_t> HnswlibPeer::Search(const float* query, size_t k) const {
  auto found = impl_->index_.searchKnn(query, k);
  std::vector<uint64_t> rows(found.size());
  for (size_t i = rows.size(); i > 0; --i) {
    rows[i - 1] = found.top().second;
    found.pop();
  }
  return rows;
}

int64_t HnswlibPeer::memory_bytes() const {
  const auto& index = impl_->index_;
  size_t bytes = index.max_elements_ * (index.size_data_per_element_ + sizeof(char*));
  for (size_t i = 0; i < index.cur_element_count; ++i) {
    bytes += static_cast<size_t>(index.element_levels_[i]) * index.size_links_per_element_;
  }
  return static_cast<int64_t>(bytes);
}

}  // namespace sightline::bench
