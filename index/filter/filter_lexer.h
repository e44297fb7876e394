// FilterLexer: the words of a filter's text, one after the other. Of use to the parser only.
//
// Threading: one thread at a time. Ownership: reads the caller's text, which must outlive it. Failure: INVALID_ARGUMENT
// with the reason FILTER_INVALID (filter_parser.h).
//
//   FilterLexer lexer(text);
//   SIGHTLINE_ASSIGN_OR_RETURN(FilterToken token, lexer.Next());
#ifndef SIGHTLINE_INDEX_FILTER_FILTER_LEXER_H_
#define SIGHTLINE_INDEX_FILTER_FILTER_LEXER_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "index/filter/filter.h"

namespace sightline::index {

struct FilterToken {
  enum class Kind {
    kEnd,
    kWord,      // a key that is no keyword
    kString,    // a value, or a key in quotes
    kNumber,    // a value
    kBool,      // a value
    kOperator,  // op
    kOpen,
    kClose,
    kComma,
    kAnd,
    kOr,
    kNot,
    kIn,
    kExists,
  };

  Kind kind = Kind::kEnd;
  size_t position = 0;  // byte of its beginning
  std::string found;    // what it is, as messages say it: "\"AND\"", "a text", "nothing more"
  FilterValue value;    // of kString, kNumber and kBool; a kWord's text
  CompareOp op = CompareOp::kEqual;
};

class FilterLexer {
 public:
  // `text` is UTF-8.
  explicit FilterLexer(absl::string_view text) : text_(text) {}

  // kEnd again and again at the end.
  absl::StatusOr<FilterToken> Next();

 private:
  char Peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  absl::StatusOr<FilterToken> String();
  absl::StatusOr<FilterToken> Number();
  FilterToken Word();
  absl::Status Escape(std::string& out);

  const absl::string_view text_;
  size_t at_ = 0;
};

// AND, OR, NOT, IN, EXISTS, TRUE or FALSE in whatever case: a key of that name is written in quotes.
bool IsFilterKeyword(absl::string_view word);

// `problem` is the first sentence without its full stop, `advice` the second one and what follows.
absl::Status FilterError(size_t position, absl::string_view problem, absl::string_view advice);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_FILTER_FILTER_LEXER_H_
