// What a filter means, said again in the plainest way, for tests to compare with: one row at a time, no index.
#ifndef SIGHTLINE_TESTS_INDEX_FILTER_NAIVE_FILTER_H_
#define SIGHTLINE_TESTS_INDEX_FILTER_NAIVE_FILTER_H_

#include <cmath>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "index/filter/filter.h"
#include "index/record.h"

namespace sightline::index {

// x86's long double has 64 bits of mantissa: every int64 and every double is one.
inline bool NaiveCompareNumbers(long double a, CompareOp op, long double b) {
  switch (op) {
    case CompareOp::kEqual: return a == b;
    case CompareOp::kNotEqual: return a != b;
    case CompareOp::kLess: return a < b;
    case CompareOp::kLessOrEqual: return a <= b;
    case CompareOp::kGreater: return a > b;
    case CompareOp::kGreaterOrEqual: return a >= b;
  }
  return false;
}

inline bool NaiveCompareTexts(const std::string& a, CompareOp op, const std::string& b) {
  return NaiveCompareNumbers(a.compare(b), op, 0);
}

inline bool NaiveCompare(const AttributeValue& attribute, CompareOp op, const FilterValue& value) {
  if (op == CompareOp::kNotEqual) return !NaiveCompare(attribute, CompareOp::kEqual, value);
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (const auto* list = std::get_if<std::vector<std::string>>(&attribute)) {
      for (const std::string& item : *list) {
        if (NaiveCompareTexts(item, op, *text)) return true;
      }
      return false;
    }
    const auto* own = std::get_if<std::string>(&attribute);
    return own != nullptr && NaiveCompareTexts(*own, op, *text);
  }
  if (const auto* truth = std::get_if<bool>(&value)) {
    const auto* own = std::get_if<bool>(&attribute);
    return own != nullptr && op == CompareOp::kEqual && *own == *truth;
  }
  const auto number = [](const auto& variant) -> std::optional<long double> {
    if (const auto* whole = std::get_if<int64_t>(&variant)) return *whole;
    if (const auto* fraction = std::get_if<double>(&variant)) return *fraction;
    return std::nullopt;
  };
  const auto own = number(attribute);
  return own && NaiveCompareNumbers(*own, op, *number(value));
}

inline bool NaiveMatches(const FilterNode& node, const Attributes& attributes) {
  switch (node.kind) {
    case FilterNode::Kind::kAnd:
      for (const FilterNode& child : node.children) {
        if (!NaiveMatches(child, attributes)) return false;
      }
      return true;
    case FilterNode::Kind::kOr:
      for (const FilterNode& child : node.children) {
        if (NaiveMatches(child, attributes)) return true;
      }
      return false;
    case FilterNode::Kind::kNot: return !NaiveMatches(node.children[0], attributes);
    default: break;
  }
  const auto found = attributes.find(node.key);
  if (found == attributes.end()) return false;
  if (node.kind == FilterNode::Kind::kExists) return true;
  if (node.kind == FilterNode::Kind::kCompare) return NaiveCompare(found->second, node.op, node.values[0]);
  for (const FilterValue& value : node.values) {
    if (NaiveCompare(found->second, CompareOp::kEqual, value)) return true;
  }
  return false;
}

// Attributes and filters that meet often: few keys, few texts, numbers around the places where doubles round.
class RandomFilters {
 public:
  explicit RandomFilters(uint32_t seed) : random_(seed) {}

  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>(random_() % bound); }

  std::string Key() { return absl::StrCat("k", Below(6)); }
  std::string Text() {
    constexpr const char* kTexts[] = {
        "", "a", "b", "ab", "B", "\xC3\xA9t\xC3\xA9", "it's \"so\"", "x\ny", "\xF0\x9F\x90\xB1"};
    return Below(4) == 0 ? absl::StrCat("t", Below(300)) : kTexts[Below(9)];
  }
  int64_t Whole() {
    constexpr int64_t kOdd[] = {0,
                                1,
                                -1,
                                (int64_t{1} << 53) + 1,
                                (int64_t{1} << 53),
                                -(int64_t{1} << 53) - 1,
                                std::numeric_limits<int64_t>::max(),
                                std::numeric_limits<int64_t>::max() - 1,
                                std::numeric_limits<int64_t>::min(),
                                std::numeric_limits<int64_t>::min() + 1};
    if (Below(3) == 0) return kOdd[Below(10)];
    return static_cast<int64_t>(Below(2000)) - 1000;
  }
  double Fraction() {
    constexpr double kOdd[] = {0.0,
                               -0.0,
                               9007199254740992.0,
                               9007199254740994.0,
                               9223372036854775808.0,
                               -9223372036854775808.0,
                               9223372036854774784.0,
                               1e300,
                               -1e300,
                               5e-324,
                               -5e-324,
                               0.1};
    if (Below(3) == 0) return kOdd[Below(12)];
    return (static_cast<double>(Below(4000)) - 2000) / 4;
  }

  AttributeValue Value() {
    switch (Below(5)) {
      case 0: return Text();
      case 1: return Whole();
      case 2: return Below(50) == 0 ? std::nan("") : Below(50) == 0 ? HUGE_VAL : Fraction();
      case 3: return Below(2) == 0;
      default: {
        std::vector<std::string> list;
        for (uint32_t left = Below(4); left > 0; --left) list.push_back(Text());
        return list;
      }
    }
  }
  Attributes Some() {
    Attributes attributes;
    for (uint32_t left = Below(7); left > 0; --left) attributes[Key()] = Value();
    return attributes;
  }

  FilterValue Bound(bool truths) {
    switch (Below(truths ? 4 : 3)) {
      case 0: return Text();
      case 1: return Whole();
      case 2: return Fraction();
      default: return Below(2) == 0;
    }
  }
  FilterNode Node(int depth) {
    FilterNode node;
    const uint32_t choice = Below(depth > 0 ? 8 : 4);
    if (choice >= 4 && choice < 7) {
      node.kind = choice == 4 ? FilterNode::Kind::kOr : FilterNode::Kind::kAnd;
      for (uint32_t left = 2 + Below(2); left > 0; --left) {
        FilterNode child = Node(depth - 1);
        // What the parser makes is never a chain inside a chain of its own kind.
        if (child.kind == node.kind) child = Node(0);
        node.children.push_back(std::move(child));
      }
    } else if (choice == 7) {
      node.kind = FilterNode::Kind::kNot;
      node.children.push_back(Node(depth - 1));
    } else {
      node.key = Below(20) == 0 ? "absent" : Key();
      if (choice == 0) {
        node.kind = FilterNode::Kind::kExists;
      } else if (choice == 1) {
        node.kind = FilterNode::Kind::kIn;
        for (uint32_t left = 1 + Below(5); left > 0; --left) node.values.push_back(Bound(true));
      } else {
        node.kind = FilterNode::Kind::kCompare;
        node.op = static_cast<CompareOp>(Below(6));
        node.values.push_back(Bound(node.op == CompareOp::kEqual || node.op == CompareOp::kNotEqual));
      }
    }
    return node;
  }

 private:
  std::mt19937 random_;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_TESTS_INDEX_FILTER_NAIVE_FILTER_H_
