// How an AttributeIndex answers a Filter: bottom-up, with stored bitmaps used in place and negation kept as a mark, so
// that nothing is ever complemented before the end.
#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "index/filter/attribute_index.h"
#include "index/filter/number_key.h"

namespace sightline::index {
namespace {

// A set of rows, or all rows but these.
class RowSet {
 public:
  RowSet() = default;
  explicit RowSet(Roaring rows) : owned_(std::move(rows)) {}
  // `stored` must outlive it.
  static RowSet Of(const Roaring& stored) {
    RowSet set;
    set.stored_ = &stored;
    return set;
  }

  const Roaring& rows() const { return stored_ != nullptr ? *stored_ : owned_; }
  Roaring Take() && { return stored_ != nullptr ? *stored_ : std::move(owned_); }
  bool negated() const { return negated_; }

  RowSet Not() && {
    negated_ = !negated_;
    return std::move(*this);
  }

 private:
  const Roaring* stored_ = nullptr;
  Roaring owned_;
  bool negated_ = false;
};

// The rows in all of `sets`; small ones come first, to be all that is left to look at.
Roaring Intersect(std::vector<RowSet> sets) {
  std::sort(sets.begin(), sets.end(),
            [](const RowSet& a, const RowSet& b) { return a.rows().cardinality() < b.rows().cardinality(); });
  if (sets.size() == 1) return std::move(sets[0]).Take();
  Roaring rows = sets[0].rows() & sets[1].rows();
  for (size_t i = 2; i < sets.size() && !rows.isEmpty(); ++i) rows &= sets[i].rows();
  return rows;
}

Roaring Unite(std::vector<RowSet> sets) {
  if (sets.size() == 1) return std::move(sets[0]).Take();
  RowUnion rows;
  for (const RowSet& set : sets) rows.Add(set.rows());
  return rows.Take();
}

// AND. By De Morgan an OR is the same with every set, and the result, negated.
RowSet All(std::vector<RowSet> sets) {
  const auto middle = std::stable_partition(sets.begin(), sets.end(), [](const RowSet& set) { return !set.negated(); });
  std::vector<RowSet> excluded(std::make_move_iterator(middle), std::make_move_iterator(sets.end()));
  sets.erase(middle, sets.end());
  if (sets.empty()) return RowSet(excluded.empty() ? Roaring() : Unite(std::move(excluded))).Not();
  Roaring rows = Intersect(std::move(sets));
  for (const RowSet& set : excluded) {
    if (rows.isEmpty()) break;
    rows -= set.rows();
  }
  return RowSet(std::move(rows));
}

}  // namespace

class FilterEvaluation {
 public:
  explicit FilterEvaluation(const AttributeIndex& index) : index_(index) {}

  RowSet Evaluate(const FilterNode& node) const {
    switch (node.kind) {
      case FilterNode::Kind::kAnd: return And(node);
      case FilterNode::Kind::kOr: {
        std::vector<RowSet> sets;
        for (const FilterNode& child : node.children) sets.push_back(Evaluate(child).Not());
        return All(std::move(sets)).Not();
      }
      case FilterNode::Kind::kNot: return Evaluate(node.children[0]).Not();
      case FilterNode::Kind::kCompare:
      case FilterNode::Kind::kIn:
      case FilterNode::Kind::kExists: break;
    }
    const AttributeIndex::KeyIndex* const key = index_.FindKey(node.key);
    if (key == nullptr) return {};
    if (node.kind == FilterNode::Kind::kExists) return RowSet::Of(key->exists);
    if (node.kind == FilterNode::Kind::kCompare) return Compare(*key, node.op, node.values[0]);
    std::vector<RowSet> sets;
    for (const FilterValue& value : node.values) sets.push_back(Compare(*key, CompareOp::kEqual, value));
    return RowSet(Unite(std::move(sets)));
  }

 private:
  // What several comparisons leave of one key's numbers.
  struct Interval {
    absl::string_view key;
    NumberRange whole;
    NumberRange doubles;
  };

  static bool IsInterval(const FilterNode& node) {
    return node.kind == FilterNode::Kind::kCompare && node.op != CompareOp::kNotEqual &&
           (std::holds_alternative<int64_t>(node.values[0]) || std::holds_alternative<double>(node.values[0]));
  }

  static void Narrow(NumberRange& range, const NumberRange& by) {
    range.least = std::max(range.least, by.least);
    range.most = std::min(range.most, by.most);
  }

  // Both ends of a range are looked up at once: a row has one number under a key, so `key >= 1 AND key < 2` is what
  // lies between, while each half alone may be most of the rows.
  RowSet And(const FilterNode& node) const {
    std::vector<RowSet> sets;
    std::vector<Interval> intervals;
    for (const FilterNode& child : node.children) {
      if (!IsInterval(child)) {
        sets.push_back(Evaluate(child));
        continue;
      }
      const NumberRange whole = WholeNumbers(child.op, child.values[0]);
      const NumberRange doubles = Doubles(child.op, child.values[0]);
      const auto known = std::find_if(intervals.begin(), intervals.end(),
                                      [&child](const Interval& interval) { return interval.key == child.key; });
      if (known == intervals.end()) {
        intervals.push_back({child.key, whole, doubles});
      } else {
        Narrow(known->whole, whole);
        Narrow(known->doubles, doubles);
      }
    }
    for (const Interval& interval : intervals) {
      const AttributeIndex::KeyIndex* const key = index_.FindKey(interval.key);
      sets.push_back(key == nullptr ? RowSet() : Numbers(*key, interval.whole, interval.doubles));
    }
    return All(std::move(sets));
  }

  static RowSet Numbers(const AttributeIndex::KeyIndex& key, const NumberRange& whole, const NumberRange& doubles) {
    Roaring rows = key.whole_numbers.Range(whole.least, whole.most);
    if (key.doubles.empty()) return RowSet(std::move(rows));
    Roaring more = key.doubles.Range(doubles.least, doubles.most);
    if (rows.isEmpty()) return RowSet(std::move(more));
    rows |= more;
    return RowSet(std::move(rows));
  }

  static RowSet Compare(const AttributeIndex::KeyIndex& key, CompareOp op, const FilterValue& value) {
    if (op == CompareOp::kNotEqual) {
      return RowSet(key.exists - Compare(key, CompareOp::kEqual, value).rows());
    }
    if (const auto* text = std::get_if<std::string>(&value)) {
      if (op != CompareOp::kEqual) return RowSet(key.strings.Range(op, *text));
      const Posting* const posting = key.strings.Find(*text);
      if (posting == nullptr) return {};
      return posting->bitmap() != nullptr ? RowSet::Of(*posting->bitmap()) : RowSet(posting->ToBitmap());
    }
    if (const auto* truth = std::get_if<bool>(&value)) {
      return op == CompareOp::kEqual ? RowSet::Of(*truth ? key.truths : key.falsehoods) : RowSet();
    }
    return Numbers(key, WholeNumbers(op, value), Doubles(op, value));
  }

  const AttributeIndex& index_;
};

Roaring AttributeIndex::Evaluate(const Filter& filter, const Roaring& universe) const {
  const RowSet set = FilterEvaluation(*this).Evaluate(filter.root());
  return set.negated() ? universe - set.rows() : universe & set.rows();
}

Roaring AttributeIndex::Evaluate(const Filter& filter, uint32_t row_count) const {
  RowSet set = FilterEvaluation(*this).Evaluate(filter.root());
  const bool negated = set.negated();
  Roaring rows = std::move(set).Take();
  if (!rows.isEmpty() && rows.maximum() >= row_count) {
    roaring_bitmap_remove_range(&rows.roaring, row_count, uint64_t{rows.maximum()} + 1);
  }
  if (negated) rows.flip(0, row_count);
  return rows;
}

}  // namespace sightline::index
