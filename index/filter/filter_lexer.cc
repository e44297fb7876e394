#include "index/filter/filter_lexer.h"

#include <array>
#include <charconv>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::index {
namespace {

using Lexeme = FilterToken::Kind;

constexpr size_t kMaxQuotedBytes = 40;  // of a word that a message repeats

struct Keyword {
  absl::string_view text;
  Lexeme kind;
  bool value;  // of kBool
};
constexpr std::array<Keyword, 7> kKeywords = {{{"AND", Lexeme::kAnd, false},
                                               {"OR", Lexeme::kOr, false},
                                               {"NOT", Lexeme::kNot, false},
                                               {"IN", Lexeme::kIn, false},
                                               {"EXISTS", Lexeme::kExists, false},
                                               {"true", Lexeme::kBool, true},
                                               {"false", Lexeme::kBool, false}}};

const Keyword* FindKeyword(absl::string_view word) {
  for (const Keyword& keyword : kKeywords) {
    if (absl::EqualsIgnoreCase(word, keyword.text)) return &keyword;
  }
  return nullptr;
}

bool IsWordCharacter(char c) { return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '.'; }

std::string Quoted(absl::string_view word) {
  return word.size() <= kMaxQuotedBytes ? absl::StrCat("\"", word, "\"")
                                        : absl::StrCat("\"", word.substr(0, kMaxQuotedBytes), "...\"");
}

size_t CountDigits(absl::string_view text) {
  size_t count = 0;
  while (count < text.size() && absl::ascii_isdigit(text[count])) ++count;
  return count;
}

enum class NumberKind { kNone, kWhole, kFraction };

// -? digits [. digits] [e [+-] digits]. std::from_chars alone would take more: "1.", "-inf".
NumberKind Classify(absl::string_view text) {
  if (absl::StartsWith(text, "-")) text.remove_prefix(1);
  const size_t whole = CountDigits(text);
  if (whole == 0) return NumberKind::kNone;
  text.remove_prefix(whole);
  if (text.empty()) return NumberKind::kWhole;
  if (text[0] == '.') {
    const size_t digits = CountDigits(text.substr(1));
    if (digits == 0) return NumberKind::kNone;
    text.remove_prefix(1 + digits);
  }
  if (!text.empty() && (text[0] == 'e' || text[0] == 'E')) {
    text.remove_prefix(1);
    if (!text.empty() && (text[0] == '+' || text[0] == '-')) text.remove_prefix(1);
    const size_t digits = CountDigits(text);
    if (digits == 0) return NumberKind::kNone;
    text.remove_prefix(digits);
  }
  return text.empty() ? NumberKind::kFraction : NumberKind::kNone;
}

void AppendUtf8(uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

}  // namespace

bool IsFilterKeyword(absl::string_view word) { return FindKeyword(word) != nullptr; }

absl::Status FilterError(size_t position, absl::string_view problem, absl::string_view advice) {
  return base::InvalidArgument("FILTER_INVALID", absl::StrCat("filter ", problem, ". ", advice),
                               {{"position", absl::StrCat(position)}});
}

absl::StatusOr<FilterToken> FilterLexer::Next() {
  while (at_ < text_.size() && absl::ascii_isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  FilterToken token;
  token.position = at_;
  if (at_ == text_.size()) {
    token.found = "nothing more";
    return token;
  }
  const char c = Peek();
  if (c == '"' || c == '\'') return String();
  if (absl::ascii_isalpha(c)) return Word();
  if (absl::ascii_isdigit(c) || c == '-' || c == '+' || c == '.') return Number();

  size_t length = 1;
  const bool or_equal = Peek(1) == '=';
  switch (c) {
    case '(': token.kind = Lexeme::kOpen; break;
    case ')': token.kind = Lexeme::kClose; break;
    case ',': token.kind = Lexeme::kComma; break;
    case '=':
      // "==" is what a programmer's hand writes, and means nothing else.
      token.kind = Lexeme::kOperator;
      token.op = CompareOp::kEqual;
      length = or_equal ? 2 : 1;
      break;
    case '<':
      token.kind = Lexeme::kOperator;
      token.op = or_equal ? CompareOp::kLessOrEqual : CompareOp::kLess;
      length = or_equal ? 2 : 1;
      break;
    case '>':
      token.kind = Lexeme::kOperator;
      token.op = or_equal ? CompareOp::kGreaterOrEqual : CompareOp::kGreater;
      length = or_equal ? 2 : 1;
      break;
    case '!':
      if (or_equal) {
        token.kind = Lexeme::kOperator;
        token.op = CompareOp::kNotEqual;
        length = 2;
        break;
      }
      [[fallthrough]];
    default: {
      const bool ascii = static_cast<unsigned char>(c) < 0x80;
      return FilterError(at_,
                         absl::StrCat("has ", ascii ? Quoted(absl::string_view(&c, 1)) : "a character beyond ASCII",
                                      " at byte ", at_, " outside quotes"),
                         "Put texts in quotes: key = \"value\"; docs/filters.md has the grammar.");
    }
  }
  token.found = Quoted(text_.substr(at_, length));
  at_ += length;
  return token;
}

FilterToken FilterLexer::Word() {
  FilterToken token;
  token.position = at_;
  while (at_ < text_.size() && IsWordCharacter(text_[at_])) ++at_;
  const absl::string_view word = text_.substr(token.position, at_ - token.position);
  token.found = Quoted(word);
  if (const Keyword* keyword = FindKeyword(word)) {
    token.kind = keyword->kind;
    if (keyword->kind == Lexeme::kBool) token.value = keyword->value;
  } else {
    token.kind = Lexeme::kWord;
    token.value = std::string(word);
  }
  return token;
}

absl::StatusOr<FilterToken> FilterLexer::Number() {
  FilterToken token;
  token.kind = Lexeme::kNumber;
  token.position = at_;
  // The whole run, so that 2024-05-01 is refused as one thing and not as what follows 2024.
  while (at_ < text_.size() && (IsWordCharacter(text_[at_]) || text_[at_] == '+')) ++at_;
  const absl::string_view text = text_.substr(token.position, at_ - token.position);
  token.found = Quoted(text);

  const auto parse = [&text](auto& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
  };
  const NumberKind kind = Classify(text);
  if (kind == NumberKind::kNone) {
    return FilterError(token.position,
                       absl::StrCat("has ", token.found, " at byte ", token.position, ", which is no number"),
                       "Write a number like -12 or 1.5e3, or put a text in quotes: key = \"value\"; docs/filters.md "
                       "has the grammar.");
  }
  int64_t whole = 0;
  double fraction = 0;
  if (kind == NumberKind::kWhole ? !parse(whole) : !parse(fraction)) {
    return FilterError(
        token.position,
        absl::StrCat("has the number ", token.found, " at byte ", token.position, ", which does not fit ",
                     kind == NumberKind::kWhole ? "a 64-bit integer" : "a double"),
        kind == NumberKind::kWhole ? "Write it with a fraction, as in 1e19." : "Write a smaller exponent.");
  }
  if (kind == NumberKind::kWhole) {
    token.value = whole;
  } else {
    token.value = fraction;
  }
  return token;
}

absl::StatusOr<FilterToken> FilterLexer::String() {
  FilterToken token;
  token.kind = Lexeme::kString;
  token.position = at_;
  token.found = "a text";
  const char quote = text_[at_++];
  std::string value;
  while (at_ < text_.size() && text_[at_] != quote) {
    if (text_[at_] == '\\') {
      SIGHTLINE_RETURN_IF_ERROR(Escape(value));
    } else if (absl::ascii_iscntrl(static_cast<unsigned char>(text_[at_]))) {
      return FilterError(at_, absl::StrCat("has a line break or a tab at byte ", at_, " inside quotes"),
                         "Write \\n, \\r or \\t.");
    } else {
      value += text_[at_++];
    }
  }
  if (at_ == text_.size()) {
    return FilterError(token.position,
                       absl::StrCat("has a text that begins at byte ", token.position, " and never ends"),
                       absl::StrCat("Close it with ", absl::string_view(&quote, 1), "; inside it write \\",
                                    absl::string_view(&quote, 1), "."));
  }
  ++at_;
  token.value = std::move(value);
  return token;
}

absl::Status FilterLexer::Escape(std::string& out) {
  const size_t begin = at_++;
  switch (Peek()) {
    case '"':
    case '\'':
    case '\\': out += text_[at_++]; return absl::OkStatus();
    case 'n':
      out += '\n';
      ++at_;
      return absl::OkStatus();
    case 'r':
      out += '\r';
      ++at_;
      return absl::OkStatus();
    case 't':
      out += '\t';
      ++at_;
      return absl::OkStatus();
    case 'u': {
      uint32_t code = 0;
      const absl::string_view digits = text_.substr(at_ + 1, 4);
      const char* const last = digits.data() + digits.size();
      const auto [end, error] = std::from_chars(digits.data(), last, code, 16);
      const bool surrogate = code >= 0xD800 && code < 0xE000;
      if (digits.size() == 4 && error == std::errc() && end == last && !surrogate) {
        AppendUtf8(code, out);
        at_ += 5;
        return absl::OkStatus();
      }
      break;
    }
    default: break;
  }
  return FilterError(begin, absl::StrCat("has an unknown escape at byte ", begin),
                     "The escapes are \\\" \\' \\\\ \\n \\r \\t and \\u with 4 hex digits that name a character.");
}

}  // namespace sightline::index
