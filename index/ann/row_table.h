// RowTable: what a segment knows of each row beside its vector: record key, id, and when it died.
//
// A row is seen by a search whose clock (segment_list.h) is below the row's time of death. Keys ascend with the row
// numbers; the rows that a chunk leaves unused repeat the key before them and are dead from the beginning.
//
// Threading: one writer at a time; any number of readers for rows that were written before a release that they have
// acquired. Deaths may be set and read at any time. Ownership: copies what it is given. Failure: none.
//
//   RowTable rows(/*max_rows=*/1 << 20);
//   rows.Set(0, key, "a");
//   if (rows.VisibleAt(0, clock)) Use(rows.Id(0));
#ifndef SIGHTLINE_INDEX_ANN_ROW_TABLE_H_
#define SIGHTLINE_INDEX_ANN_ROW_TABLE_H_

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sightline::index {

class RowTable {
 public:
  static constexpr uint64_t kAlive = std::numeric_limits<uint64_t>::max();

  explicit RowTable(uint32_t max_rows) : blocks_((max_rows + kBlockRows - 1) / kBlockRows) {}
  RowTable(const RowTable&) = delete;
  RowTable& operator=(const RowTable&) = delete;

  void Set(uint32_t row, uint64_t key, std::string id);
  // A row that is never seen.
  void SetUnused(uint32_t row, uint64_t key);
  void Kill(uint32_t row, uint64_t clock) { At(row).died_at.store(clock, std::memory_order_relaxed); }

  // kAlive while it lives.
  uint64_t DiedAt(uint32_t row) const { return At(row).died_at.load(std::memory_order_relaxed); }
  bool VisibleAt(uint32_t row, uint64_t clock) const { return DiedAt(row) > clock; }
  bool Alive(uint32_t row) const { return DiedAt(row) == kAlive; }
  uint64_t Key(uint32_t row) const { return At(row).key; }
  const std::string& Id(uint32_t row) const { return At(row).id; }

  // The row of `key` among the first `rows`; nullopt when it is not there.
  std::optional<uint32_t> Find(uint64_t key, uint32_t rows) const;

  int64_t memory_bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint32_t kBlockRows = 4096;

  struct Entry {
    uint64_t key = 0;
    std::atomic<uint64_t> died_at = 0;
    std::string id;
  };

  const Entry& At(uint32_t row) const { return blocks_[row / kBlockRows][row % kBlockRows]; }
  Entry& At(uint32_t row) { return blocks_[row / kBlockRows][row % kBlockRows]; }
  Entry& Make(uint32_t row);

  std::vector<std::unique_ptr<Entry[]>> blocks_;
  std::atomic<int64_t> bytes_ = 0;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_ROW_TABLE_H_
