// AttributeIndex: the attributes of one segment's rows, indexed, so that a Filter becomes a bitmap of rows without
// looking at the rows.
//
// Texts and truth values have a bitmap each, numbers are kept in order (number_index.h), every key has the bitmap of
// the rows that have it. Beside that each row's attributes are kept in a few dozen bytes, for groups and for copying
// rows into another segment.
//
// Threading: like a container of the standard library: many readers or one writer. ConcurrentAttributeIndex lets
// searches read while one thread writes.
// Ownership: owns what it needs. Copies share the bytes of what was there before.
// Failure: ends the process when memory is exhausted; budgets exist so that it never comes to that.
//
//   AttributeIndex index;
//   index.Set(7, {{"brand", "acme"}, {"price", 12.5}});
//   Roaring rows = index.Evaluate(*ParseFilter("price < 20"), /*row_count=*/8);
#ifndef SIGHTLINE_INDEX_FILTER_ATTRIBUTE_INDEX_H_
#define SIGHTLINE_INDEX_FILTER_ATTRIBUTE_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "index/filter/bitmap.h"
#include "index/filter/byte_arena.h"
#include "index/filter/filter.h"
#include "index/filter/number_index.h"
#include "index/filter/packed_attributes.h"
#include "index/filter/string_index.h"
#include "index/record.h"

namespace sightline::index {

class AttributeIndex {
 public:
  // Replaces what the row had.
  void Set(uint32_t row, const Attributes& attributes);
  void Clear(uint32_t row) { Set(row, {}); }

  // The rows of `universe` that satisfy `filter`. A row that was never set has no attributes.
  Roaring Evaluate(const Filter& filter, const Roaring& universe) const;
  // The same among rows 0 to row_count - 1.
  Roaring Evaluate(const Filter& filter, uint32_t row_count) const;

  // What the row has under `key`.
  std::optional<AttributeValue> ValueAt(uint32_t row, absl::string_view key) const;

  // A number that two rows share when they have the same value under `key`, in every AttributeIndex of this process.
  // Numbers that are equal are the same value, whatever their type; a list counts by its first text, and an empty list
  // is no value. (64 bits of a hash: among ten thousand rows two values meet by chance once in 10^11 searches.)
  std::optional<uint64_t> GroupId(uint32_t row, absl::string_view key) const;

  Attributes AttributesOf(uint32_t row) const;

  // How many rows of `rows` have each value under `key`; every text of a list counts. In no particular order.
  std::vector<std::pair<AttributeValue, int64_t>> CountValues(absl::string_view key, const Roaring& rows) const;

  // Lets go of the bytes of its rows and shares those of `other`, which must have been through the same changes.
  void ShareRowsOf(const AttributeIndex& other);

  // Bytes held, as of a few thousand changes ago; what copies share counts in equal parts.
  size_t memory_bytes() const { return memory_bytes_; }

 private:
  friend class FilterEvaluation;

  struct KeyIndex {
    std::string name;
    Roaring exists;
    Roaring truths;
    Roaring falsehoods;
    StringIndex strings;  // texts, and those in lists
    NumberIndex whole_numbers;
    NumberIndex doubles;
  };

  const KeyIndex* FindKey(absl::string_view key) const;
  uint32_t KeyId(absl::string_view key);
  void Pack(uint32_t row, uint32_t key_id, const AttributeValue& value, std::string& packed);
  void Remove(uint32_t row);
  // The row's attribute under `key`; false when it has none.
  bool FindPacked(uint32_t row, absl::string_view key, PackedAttribute& found) const;
  AttributeValue Unpack(const PackedAttribute& packed) const;
  void KeepHouse();
  void RepackRows();
  void RepackTexts();
  size_t MeasureMemory() const;

  std::vector<KeyIndex> keys_;
  absl::flat_hash_map<std::string, uint32_t> key_ids_;
  std::vector<const char*> rows_;  // packed_attributes.h; null: no attributes
  ByteArena packed_;               // of rows_
  ByteArena texts_;                // of the keys' strings
  size_t unused_packed_ = 0;       // bytes of the arenas that nothing needs any more
  size_t unused_texts_ = 0;
  size_t changes_ = 0;
  size_t next_measure_ = 0;
  size_t memory_bytes_ = 0;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_FILTER_ATTRIBUTE_INDEX_H_
