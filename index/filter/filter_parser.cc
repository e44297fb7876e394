#include "index/filter/filter_parser.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/filter/filter_lexer.h"
#include "index/validate.h"

namespace sightline::index {
namespace {

using NodeKind = FilterNode::Kind;
using TokenKind = FilterToken::Kind;

constexpr absl::string_view kGrammarHint = "Write key = \"value\"; docs/filters.md has the grammar.";
constexpr absl::string_view kQuotesHint = "Put a text in quotes: key = \"value\"; docs/filters.md has the grammar.";

absl::Status LimitError(absl::string_view problem, absl::string_view advice, size_t position, size_t actual,
                        size_t limit) {
  return base::InvalidArgument(
      "FILTER_INVALID", absl::StrCat("filter ", problem, ". ", advice),
      {{"position", absl::StrCat(position)}, {"actual", absl::StrCat(actual)}, {"limit", absl::StrCat(limit)}});
}

// Recursive descent, one function per level of the grammar. Only parentheses and NOT recurse, and they are counted.
class FilterParser {
 public:
  explicit FilterParser(absl::string_view text) : lexer_(text) {}

  absl::StatusOr<Filter> Parse() {
    SIGHTLINE_RETURN_IF_ERROR(Advance());
    if (token_.kind == TokenKind::kEnd) return Filter();
    SIGHTLINE_ASSIGN_OR_RETURN(FilterNode root, Or(0));
    if (token_.kind != TokenKind::kEnd) return Unexpected("AND, OR or the end");
    return Filter(std::move(root));
  }

 private:
  absl::StatusOr<FilterNode> Or(int depth) {
    return Chain(NodeKind::kOr, TokenKind::kOr, [this, depth] { return And(depth); });
  }

  absl::StatusOr<FilterNode> And(int depth) {
    return Chain(NodeKind::kAnd, TokenKind::kAnd, [this, depth] { return Condition(depth); });
  }

  // item { separator item }; chains inside chains of their own kind are taken apart, as both are associative.
  template <typename Item>
  absl::StatusOr<FilterNode> Chain(NodeKind kind, TokenKind separator, Item item) {
    SIGHTLINE_ASSIGN_OR_RETURN(FilterNode first, item());
    if (token_.kind != separator) return first;
    FilterNode chain;
    chain.kind = kind;
    const auto append = [&chain](FilterNode node) {
      if (node.kind != chain.kind) {
        chain.children.push_back(std::move(node));
        return;
      }
      for (FilterNode& child : node.children) chain.children.push_back(std::move(child));
    };
    append(std::move(first));
    while (token_.kind == separator) {
      SIGHTLINE_RETURN_IF_ERROR(Advance());
      SIGHTLINE_ASSIGN_OR_RETURN(FilterNode next, item());
      append(std::move(next));
    }
    return chain;
  }

  // NOT condition | ( or ) | EXISTS key | key ...
  absl::StatusOr<FilterNode> Condition(int depth) {
    if (token_.kind == TokenKind::kNot || token_.kind == TokenKind::kOpen) {
      if (depth == kMaxFilterDepth) {
        return LimitError(absl::StrCat("nests deeper than ", kMaxFilterDepth, " levels at byte ", token_.position),
                          "Use fewer parentheses and NOTs inside each other.", token_.position, kMaxFilterDepth + 1,
                          kMaxFilterDepth);
      }
      const bool negated = token_.kind == TokenKind::kNot;
      SIGHTLINE_RETURN_IF_ERROR(Advance());
      if (!negated) {
        SIGHTLINE_ASSIGN_OR_RETURN(FilterNode inner, Or(depth + 1));
        if (token_.kind != TokenKind::kClose) return Unexpected("AND, OR or \")\"");
        SIGHTLINE_RETURN_IF_ERROR(Advance());
        return inner;
      }
      FilterNode node;
      node.kind = NodeKind::kNot;
      SIGHTLINE_ASSIGN_OR_RETURN(FilterNode inner, Condition(depth + 1));
      node.children.push_back(std::move(inner));
      return node;
    }
    if (++comparisons_ > kMaxFilterComparisons) {
      return LimitError(absl::StrCat("has more than ", kMaxFilterComparisons, " comparisons"),
                        "Use key IN (...) for many values of one key.", token_.position,
                        static_cast<size_t>(comparisons_), kMaxFilterComparisons);
    }
    if (token_.kind == TokenKind::kExists) return Exists();
    return Comparison();
  }

  // EXISTS key | EXISTS ( key )
  absl::StatusOr<FilterNode> Exists() {
    SIGHTLINE_RETURN_IF_ERROR(Advance());
    const bool open = token_.kind == TokenKind::kOpen;
    if (open) SIGHTLINE_RETURN_IF_ERROR(Advance());
    FilterNode node;
    node.kind = NodeKind::kExists;
    SIGHTLINE_RETURN_IF_ERROR(Key("a key", node.key));
    if (open) {
      if (token_.kind != TokenKind::kClose) return Unexpected("\")\"");
      SIGHTLINE_RETURN_IF_ERROR(Advance());
    }
    return node;
  }

  // key op value | key IN ( value, ... ) | key EXISTS
  absl::StatusOr<FilterNode> Comparison() {
    FilterNode node;
    SIGHTLINE_RETURN_IF_ERROR(Key("a condition", node.key));
    switch (token_.kind) {
      case TokenKind::kExists:
        node.kind = NodeKind::kExists;
        SIGHTLINE_RETURN_IF_ERROR(Advance());
        return node;
      case TokenKind::kIn:
        node.kind = NodeKind::kIn;
        SIGHTLINE_RETURN_IF_ERROR(Advance());
        SIGHTLINE_RETURN_IF_ERROR(List(node.values));
        return node;
      case TokenKind::kOperator: break;
      default: return Unexpected("an operator (=, !=, <, <=, >, >=, IN)");
    }
    node.kind = NodeKind::kCompare;
    node.op = token_.op;
    SIGHTLINE_RETURN_IF_ERROR(Advance());
    if (token_.kind == TokenKind::kBool && node.op != CompareOp::kEqual && node.op != CompareOp::kNotEqual) {
      return Unexpected("a text or a number", "true and false are compared with = and != only.");
    }
    SIGHTLINE_RETURN_IF_ERROR(Value(node.values));
    return node;
  }

  // ( value, ... )
  absl::Status List(std::vector<FilterValue>& values) {
    if (token_.kind != TokenKind::kOpen) {
      return Unexpected("\"(\"", "Write key IN (\"a\", \"b\"); docs/filters.md has the grammar.");
    }
    do {
      SIGHTLINE_RETURN_IF_ERROR(Advance());
      if (values.size() == static_cast<size_t>(kMaxFilterInValues)) {
        return LimitError(
            absl::StrCat("has an IN with more than ", kMaxFilterInValues, " values at byte ", token_.position),
            "Split it into several requests.", token_.position, values.size() + 1, kMaxFilterInValues);
      }
      SIGHTLINE_RETURN_IF_ERROR(Value(values));
    } while (token_.kind == TokenKind::kComma);
    if (token_.kind != TokenKind::kClose) return Unexpected("\",\" or \")\"");
    return Advance();
  }

  absl::Status Value(std::vector<FilterValue>& values) {
    switch (token_.kind) {
      case TokenKind::kString:
      case TokenKind::kNumber:
      case TokenKind::kBool: values.push_back(std::move(token_.value)); return Advance();
      default: return Unexpected("a value", token_.kind == TokenKind::kWord ? kQuotesHint : kGrammarHint);
    }
  }

  absl::Status Key(absl::string_view expected, std::string& key) {
    if (token_.kind != TokenKind::kWord && token_.kind != TokenKind::kString) return Unexpected(expected);
    key = std::get<std::string>(std::move(token_.value));
    if (!IsAttributeKey(key)) {
      return FilterError(token_.position,
                         absl::StrCat("has a key at byte ", token_.position, " that no attribute can have"),
                         "Keys have 1 to 64 letters, digits, '_', '-' and '.', and start with a letter.");
    }
    return Advance();
  }

  absl::Status Advance() {
    SIGHTLINE_ASSIGN_OR_RETURN(token_, lexer_.Next());
    return absl::OkStatus();
  }

  absl::Status Unexpected(absl::string_view expected, absl::string_view advice = kGrammarHint) const {
    return FilterError(
        token_.position,
        absl::StrCat("has ", token_.found, " at byte ", token_.position, " where ", expected, " is expected"), advice);
  }

  FilterLexer lexer_;
  FilterToken token_;
  int comparisons_ = 0;
};

// The byte at which `text` stops being UTF-8.
size_t ValidUtf8Bytes(absl::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    size_t length = 1;
    while (length <= 4 && !IsUtf8(text.substr(at, length))) ++length;
    if (length > 4) break;
    at += length;
  }
  return at;
}

}  // namespace

bool IsAttributeKey(absl::string_view key) {
  constexpr size_t kMaxKeyBytes = 64;
  const auto allowed = [](char c) { return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '.'; };
  return !key.empty() && key.size() <= kMaxKeyBytes && absl::ascii_isalpha(key[0]) &&
         std::all_of(key.begin(), key.end(), allowed);
}

absl::StatusOr<Filter> ParseFilter(absl::string_view text) {
  if (text.size() > kMaxFilterBytes) {
    return LimitError(absl::StrCat("has ", text.size(), " bytes; the limit is ", kMaxFilterBytes), "Shorten it.",
                      kMaxFilterBytes, text.size(), kMaxFilterBytes);
  }
  if (const size_t valid = ValidUtf8Bytes(text); valid < text.size()) {
    return FilterError(valid, absl::StrCat("is not valid UTF-8 at byte ", valid), "Encode it as UTF-8.");
  }
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (absl::ascii_iscntrl(c) && c != '\t' && c != '\n' && c != '\r') {
      return FilterError(i, absl::StrCat("has a control character at byte ", i),
                         "Remove it, or write \\u and 4 hex digits inside quotes.");
    }
  }
  return FilterParser(text).Parse();
}

}  // namespace sightline::index
