#include "index/filter/filter.h"

#include <charconv>
#include <type_traits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "index/filter/filter_lexer.h"

namespace sightline::index {
namespace {

using Shape = FilterNode::Kind;

void AppendQuoted(absl::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  out += '"';
}

void AppendDouble(double value, std::string& out) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  const absl::string_view digits(buffer, static_cast<size_t>(end - buffer));
  absl::StrAppend(&out, digits);
  // Without a point or an exponent it would be read as a whole number.
  if (digits.find_first_of(".e") == absl::string_view::npos) out += ".0";
}

void AppendValue(const FilterValue& value, std::string& out) {
  std::visit(
      [&out](const auto& v) {
        using V = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<V, std::string>) {
          AppendQuoted(v, out);
        } else if constexpr (std::is_same_v<V, int64_t>) {
          absl::StrAppend(&out, v);
        } else if constexpr (std::is_same_v<V, double>) {
          AppendDouble(v, out);
        } else {
          out += v ? "true" : "false";
        }
      },
      value);
}

void AppendKey(absl::string_view key, std::string& out) {
  if (IsFilterKeyword(key)) {
    AppendQuoted(key, out);
  } else {
    absl::StrAppend(&out, key);
  }
}

absl::string_view OperatorText(CompareOp op) {
  switch (op) {
    case CompareOp::kEqual: return " = ";
    case CompareOp::kNotEqual: return " != ";
    case CompareOp::kLess: return " < ";
    case CompareOp::kLessOrEqual: return " <= ";
    case CompareOp::kGreater: return " > ";
    case CompareOp::kGreaterOrEqual: return " >= ";
  }
  return " = ";
}

// How tightly a node binds: what binds less than its surroundings needs parentheses.
int Tightness(Shape kind) { return kind == Shape::kOr ? 0 : kind == Shape::kAnd ? 1 : kind == Shape::kNot ? 2 : 3; }

void AppendNode(const FilterNode& node, std::string& out) {
  const auto append_child = [&node, &out](const FilterNode& child) {
    // A NOT inside a NOT needs none, an AND inside an AND does: it is a tree of its own.
    const bool wrap = node.kind == Shape::kNot ? Tightness(child.kind) < Tightness(Shape::kNot)
                                               : Tightness(child.kind) <= Tightness(node.kind);
    if (wrap) out += '(';
    AppendNode(child, out);
    if (wrap) out += ')';
  };
  switch (node.kind) {
    case Shape::kAnd:
    case Shape::kOr:
      for (size_t i = 0; i < node.children.size(); ++i) {
        if (i > 0) out += node.kind == Shape::kAnd ? " AND " : " OR ";
        append_child(node.children[i]);
      }
      break;
    case Shape::kNot:
      out += "NOT ";
      append_child(node.children[0]);
      break;
    case Shape::kCompare:
      AppendKey(node.key, out);
      absl::StrAppend(&out, OperatorText(node.op));
      AppendValue(node.values[0], out);
      break;
    case Shape::kIn:
      AppendKey(node.key, out);
      out += " IN (";
      for (size_t i = 0; i < node.values.size(); ++i) {
        if (i > 0) out += ", ";
        AppendValue(node.values[i], out);
      }
      out += ')';
      break;
    case Shape::kExists:
      out += "EXISTS ";
      AppendKey(node.key, out);
      break;
  }
}

}  // namespace

std::string Filter::ToString() const {
  std::string out;
  AppendNode(root_, out);
  return out;
}

}  // namespace sightline::index
