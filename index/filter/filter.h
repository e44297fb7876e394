// Filter: a condition on the attributes of an image, as a tree. docs/filters.md has its grammar and its meaning.
//
// Threading: a value; const methods may be called from any thread.
// Ownership: holds everything it names. Copying copies the tree.
// Failure: none. What ParseFilter (filter_parser.h) makes is of bounded depth, so recursion over it is safe.
//
//   absl::StatusOr<Filter> filter = ParseFilter(R"(brand = "acme" AND NOT price > 20)");
//   Roaring rows = attribute_index.Evaluate(*filter, live_rows);
#ifndef SIGHTLINE_INDEX_FILTER_FILTER_H_
#define SIGHTLINE_INDEX_FILTER_FILTER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace sightline::index {

using FilterValue = std::variant<std::string, int64_t, double, bool>;

enum class CompareOp { kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };

struct FilterNode {
  enum class Kind {
    kAnd,      // every one of `children`; of none: true
    kOr,       // at least one of `children`
    kNot,      // not children[0]
    kCompare,  // key op values[0]
    kIn,       // key = one of `values`
    kExists,   // the image has an attribute `key`
  };

  Kind kind = Kind::kAnd;
  std::string key;
  CompareOp op = CompareOp::kEqual;
  std::vector<FilterValue> values;
  std::vector<FilterNode> children;

  bool operator==(const FilterNode&) const = default;
};

class Filter {
 public:
  // Takes every image.
  Filter() = default;
  // Nodes have as many values and children as their kind says.
  explicit Filter(FilterNode root) : root_(std::move(root)) {}

  const FilterNode& root() const { return root_; }
  bool takes_all() const { return root_.kind == FilterNode::Kind::kAnd && root_.children.empty(); }

  // A text with the same meaning, in one spelling: upper-case keywords, the fewest parentheses.
  std::string ToString() const;

  bool operator==(const Filter&) const = default;

 private:
  FilterNode root_;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_FILTER_FILTER_H_
