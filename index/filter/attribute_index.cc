#include "index/filter/attribute_index.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "index/filter/number_key.h"

namespace sightline::index {
namespace {

constexpr size_t kLeastUnusedBytes = 1 << 20;  // below it an arena is not worth repacking
constexpr size_t kCompressChanges = 65'536;
constexpr size_t kMeasureChanges = 1024;

absl::string_view PackedBytes(const char* packed) {
  PackedReader reader(packed);
  while (reader.Next()) {
  }
  return {packed, static_cast<size_t>(reader.position() - packed)};
}

// The whole number that equals `value`, if there is one: numbers that are equal make one group.
std::optional<int64_t> WholeNumberEqualTo(double value) {
  const NumberRange range = WholeNumbers(CompareOp::kEqual, FilterValue(value));
  if (range.least > range.most) return std::nullopt;
  return WholeNumberOf(range.least);
}

uint64_t HashOf(PackedType type, uint64_t value) { return absl::HashOf(static_cast<int>(type), value); }

uint64_t HashOf(absl::string_view text) { return absl::HashOf(static_cast<int>(PackedType::kText), text); }

}  // namespace

void AttributeIndex::Set(uint32_t row, const Attributes& attributes) {
  Remove(row);
  if (!attributes.empty()) {
    std::string packed;
    PutVarint(attributes.size(), packed);
    for (const auto& [key, value] : attributes) Pack(row, KeyId(key), value, packed);
    if (row >= rows_.size()) rows_.resize(size_t{row} + 1);
    rows_[row] = packed_.Append(packed).data();
  }
  KeepHouse();
}

uint32_t AttributeIndex::KeyId(absl::string_view key) {
  const auto [found, added] = key_ids_.try_emplace(key, static_cast<uint32_t>(keys_.size()));
  if (added) {
    keys_.emplace_back();
    keys_.back().name = std::string(key);
  }
  return found->second;
}

void AttributeIndex::Pack(uint32_t row, uint32_t key_id, const AttributeValue& value, std::string& packed) {
  KeyIndex& key = keys_[key_id];
  key.exists.add(row);
  std::visit(
      [&](const auto& v) {
        using V = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<V, std::string>) {
          PutHeader(key_id, PackedType::kText, packed);
          PutVarint(key.strings.Add(v, row, texts_), packed);
        } else if constexpr (std::is_same_v<V, int64_t>) {
          PutHeader(key_id, PackedType::kWhole, packed);
          PutWhole(v, packed);
          key.whole_numbers.Add(NumberKey(v), row);
        } else if constexpr (std::is_same_v<V, double>) {
          PutHeader(key_id, PackedType::kFraction, packed);
          PutFraction(v, packed);
          // Nothing compares with a NaN; writes refuse it anyway.
          if (!std::isnan(v)) key.doubles.Add(NumberKey(v), row);
        } else if constexpr (std::is_same_v<V, bool>) {
          PutHeader(key_id, v ? PackedType::kTrue : PackedType::kFalse, packed);
          (v ? key.truths : key.falsehoods).add(row);
        } else {
          PutHeader(key_id, PackedType::kList, packed);
          PutVarint(v.size(), packed);
          for (const std::string& text : v) PutVarint(key.strings.Add(text, row, texts_), packed);
        }
      },
      value);
}

void AttributeIndex::Remove(uint32_t row) {
  if (row >= rows_.size() || rows_[row] == nullptr) return;
  PackedReader reader(rows_[row]);
  while (reader.Next()) {
    const PackedAttribute& attribute = reader.attribute();
    KeyIndex& key = keys_[attribute.key_id];
    key.exists.remove(row);
    switch (attribute.type) {
      case PackedType::kText: unused_texts_ += key.strings.Remove(attribute.Term(), row); break;
      case PackedType::kWhole: key.whole_numbers.Remove(NumberKey(attribute.Whole()), row); break;
      case PackedType::kFraction:
        if (const double value = attribute.Fraction(); !std::isnan(value)) key.doubles.Remove(NumberKey(value), row);
        break;
      case PackedType::kFalse: key.falsehoods.remove(row); break;
      case PackedType::kTrue: key.truths.remove(row); break;
      case PackedType::kList:
        attribute.ForEachTerm([&](uint32_t term) { unused_texts_ += key.strings.Remove(term, row); });
        break;
    }
  }
  unused_packed_ += static_cast<size_t>(reader.position() - rows_[row]);
  rows_[row] = nullptr;
}

const AttributeIndex::KeyIndex* AttributeIndex::FindKey(absl::string_view key) const {
  const auto found = key_ids_.find(key);
  return found == key_ids_.end() ? nullptr : &keys_[found->second];
}

bool AttributeIndex::FindPacked(uint32_t row, absl::string_view key, PackedAttribute& found) const {
  const auto id = key_ids_.find(key);
  if (id == key_ids_.end() || row >= rows_.size()) return false;
  PackedReader reader(rows_[row]);
  while (reader.Next()) {
    if (reader.attribute().key_id != id->second) continue;
    found = reader.attribute();
    return true;
  }
  return false;
}

AttributeValue AttributeIndex::Unpack(const PackedAttribute& packed) const {
  const StringIndex& strings = keys_[packed.key_id].strings;
  switch (packed.type) {
    case PackedType::kText: return std::string(strings.Text(packed.Term()));
    case PackedType::kWhole: return packed.Whole();
    case PackedType::kFraction: return packed.Fraction();
    case PackedType::kFalse: return false;
    case PackedType::kTrue: return true;
    case PackedType::kList: break;
  }
  std::vector<std::string> texts;
  packed.ForEachTerm([&](uint32_t term) { texts.emplace_back(strings.Text(term)); });
  return texts;
}

std::optional<AttributeValue> AttributeIndex::ValueAt(uint32_t row, absl::string_view key) const {
  PackedAttribute packed;
  if (!FindPacked(row, key, packed)) return std::nullopt;
  return Unpack(packed);
}

std::optional<uint64_t> AttributeIndex::GroupId(uint32_t row, absl::string_view key) const {
  PackedAttribute packed;
  if (!FindPacked(row, key, packed)) return std::nullopt;
  const StringIndex& strings = keys_[packed.key_id].strings;
  switch (packed.type) {
    case PackedType::kText: return HashOf(strings.Text(packed.Term()));
    case PackedType::kWhole: return HashOf(PackedType::kWhole, static_cast<uint64_t>(packed.Whole()));
    case PackedType::kFraction: {
      const double value = packed.Fraction();
      if (const auto whole = WholeNumberEqualTo(value)) {
        return HashOf(PackedType::kWhole, static_cast<uint64_t>(*whole));
      }
      return HashOf(PackedType::kFraction, NumberKey(value));
    }
    case PackedType::kFalse:
    case PackedType::kTrue: return HashOf(packed.type, 0);
    case PackedType::kList: break;
  }
  std::optional<uint64_t> group;
  packed.ForEachTerm([&](uint32_t term) {
    if (!group) group = HashOf(strings.Text(term));
  });
  return group;
}

Attributes AttributeIndex::AttributesOf(uint32_t row) const {
  Attributes attributes;
  if (row >= rows_.size()) return attributes;
  for (PackedReader reader(rows_[row]); reader.Next();) {
    attributes.emplace(keys_[reader.attribute().key_id].name, Unpack(reader.attribute()));
  }
  return attributes;
}

std::vector<std::pair<AttributeValue, int64_t>> AttributeIndex::CountValues(absl::string_view key,
                                                                            const Roaring& rows) const {
  std::vector<std::pair<AttributeValue, int64_t>> counts;
  const KeyIndex* const index = FindKey(key);
  if (index == nullptr) return counts;
  const auto count = [&counts](auto value, uint64_t images) {
    if (images > 0) counts.emplace_back(std::move(value), static_cast<int64_t>(images));
  };
  index->strings.ForEach(
      [&](absl::string_view text, const Posting& posting) { count(std::string(text), posting.CountIn(rows)); });
  count(false, index->falsehoods.and_cardinality(rows));
  count(true, index->truths.and_cardinality(rows));
  // Entries are in order, so each number is a run of them.
  const auto count_numbers = [&](const NumberIndex& numbers, auto value_of) {
    uint64_t current = 0;
    uint64_t images = 0;
    numbers.ForEach([&](uint64_t number, uint32_t row) {
      if (number != current) {
        count(value_of(current), images);
        current = number;
        images = 0;
      }
      images += rows.contains(row) ? 1 : 0;
    });
    count(value_of(current), images);
  };
  count_numbers(index->whole_numbers, [](uint64_t number) { return WholeNumberOf(number); });
  count_numbers(index->doubles, [](uint64_t number) { return DoubleOf(number); });
  return counts;
}

void AttributeIndex::ShareRowsOf(const AttributeIndex& other) {
  rows_ = other.rows_;
  packed_ = other.packed_;
  unused_packed_ = other.unused_packed_;
  memory_bytes_ = MeasureMemory();
}

void AttributeIndex::KeepHouse() {
  ++changes_;
  const auto worth_it = [](size_t unused, const ByteArena& arena) {
    return unused > kLeastUnusedBytes && unused > arena.used() / 2;
  };
  if (worth_it(unused_packed_, packed_)) RepackRows();
  if (worth_it(unused_texts_, texts_)) RepackTexts();
  if (changes_ % kCompressChanges == 0) {
    for (KeyIndex& key : keys_) {
      key.exists.runOptimize();
      key.truths.runOptimize();
      key.falsehoods.runOptimize();
      key.strings.Compress();
      key.whole_numbers.Compress();
      key.doubles.Compress();
    }
  }
  if (changes_ >= next_measure_) {
    memory_bytes_ = MeasureMemory();
    next_measure_ = changes_ + std::max(kMeasureChanges, rows_.size() / 8);
  }
}

void AttributeIndex::RepackRows() {
  ByteArena packed;
  for (const char*& row : rows_) {
    if (row != nullptr) row = packed.Append(PackedBytes(row)).data();
  }
  packed_ = std::move(packed);
  unused_packed_ = 0;
}

void AttributeIndex::RepackTexts() {
  ByteArena texts;
  for (KeyIndex& key : keys_) key.strings.MoveTextsTo(texts);
  texts_ = std::move(texts);
  unused_texts_ = 0;
}

size_t AttributeIndex::MeasureMemory() const {
  size_t bytes = rows_.capacity() * sizeof(const char*) + packed_.memory_bytes() + texts_.memory_bytes() +
                 keys_.capacity() * sizeof(KeyIndex) +
                 key_ids_.capacity() * (sizeof(std::pair<std::string, uint32_t>) + 1);
  for (const KeyIndex& key : keys_) {
    bytes += key.name.capacity() + BitmapBytes(key.exists) + BitmapBytes(key.truths) + BitmapBytes(key.falsehoods) +
             key.strings.memory_bytes() + key.whole_numbers.memory_bytes() + key.doubles.memory_bytes();
  }
  return bytes;
}

}  // namespace sightline::index
