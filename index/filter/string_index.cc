#include "index/filter/string_index.h"

namespace sightline::index {

uint32_t StringIndex::Add(absl::string_view text, uint32_t row, ByteArena& arena) {
  const auto found = order_.find(text);
  if (found != order_.end()) {
    terms_[found->second].rows.Add(row);
    return found->second;
  }
  uint32_t term = static_cast<uint32_t>(terms_.size());
  if (free_.empty()) {
    terms_.emplace_back();
  } else {
    term = free_.back();
    free_.pop_back();
  }
  terms_[term].text = arena.Append(text);
  terms_[term].rows.Add(row);
  order_.emplace(terms_[term].text, term);
  return term;
}

size_t StringIndex::Remove(uint32_t term, uint32_t row) {
  Term& entry = terms_[term];
  // A list may name a text twice.
  if (!entry.rows.Remove(row) || !entry.rows.empty()) return 0;
  const size_t freed = entry.text.size();
  order_.erase(entry.text);
  entry.text = {};
  entry.rows.Clear();
  free_.push_back(term);
  return freed;
}

const Posting* StringIndex::Find(absl::string_view text) const {
  const auto found = order_.find(text);
  return found == order_.end() ? nullptr : &terms_[found->second].rows;
}

Roaring StringIndex::Range(CompareOp op, absl::string_view bound) const {
  auto begin = order_.begin();
  auto end = order_.end();
  switch (op) {
    case CompareOp::kLess: end = order_.lower_bound(bound); break;
    case CompareOp::kLessOrEqual: end = order_.upper_bound(bound); break;
    case CompareOp::kGreater: begin = order_.upper_bound(bound); break;
    case CompareOp::kGreaterOrEqual: begin = order_.lower_bound(bound); break;
    case CompareOp::kEqual:
    case CompareOp::kNotEqual:
      begin = order_.lower_bound(bound);
      end = order_.upper_bound(bound);
      break;
  }
  RowUnion rows;
  for (; begin != end; ++begin) terms_[begin->second].rows.AddTo(rows);
  return rows.Take();
}

void StringIndex::MoveTextsTo(ByteArena& arena) {
  absl::btree_map<absl::string_view, uint32_t> order;
  for (const auto& [text, term] : order_) {
    terms_[term].text = arena.Append(text);
    order.emplace_hint(order.end(), terms_[term].text, term);
  }
  order_ = std::move(order);
}

void StringIndex::Compress() {
  for (Term& term : terms_) term.rows.Compress();
}

size_t StringIndex::memory_bytes() const {
  // A node of the tree is three quarters full on average.
  size_t bytes = terms_.capacity() * sizeof(Term) + free_.capacity() * sizeof(uint32_t) +
                 order_.size() * (sizeof(absl::string_view) + sizeof(uint64_t)) * 4 / 3;
  for (const Term& term : terms_) bytes += term.rows.memory_bytes();
  return bytes;
}

}  // namespace sightline::index
