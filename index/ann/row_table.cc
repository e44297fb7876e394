#include "index/ann/row_table.h"

#include <utility>

namespace sightline::index {

RowTable::Entry& RowTable::Make(uint32_t row) {
  auto& block = blocks_[row / kBlockRows];
  if (block == nullptr) {
    block = std::make_unique<Entry[]>(kBlockRows);
    bytes_.fetch_add(static_cast<int64_t>(kBlockRows * sizeof(Entry)), std::memory_order_relaxed);
  }
  return block[row % kBlockRows];
}

void RowTable::Set(uint32_t row, uint64_t key, std::string id) {
  Entry& entry = Make(row);
  entry.key = key;
  // Short ids live in the entry itself.
  if (id.capacity() > std::string().capacity()) {
    bytes_.fetch_add(static_cast<int64_t>(id.capacity()), std::memory_order_relaxed);
  }
  entry.id = std::move(id);
  entry.died_at.store(kAlive, std::memory_order_relaxed);
}

void RowTable::SetUnused(uint32_t row, uint64_t key) {
  Entry& entry = Make(row);
  entry.key = key;
  entry.died_at.store(0, std::memory_order_relaxed);
}

std::optional<uint32_t> RowTable::Find(uint64_t key, uint32_t rows) const {
  uint32_t low = 0;
  uint32_t high = rows;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (Key(middle) < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == rows || Key(low) != key) return std::nullopt;
  return low;
}

}  // namespace sightline::index
