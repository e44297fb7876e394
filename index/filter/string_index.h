// StringIndex: which rows have which text, for one attribute's key. A text is known by a small number, its term, which
// rows keep instead of the text.
//
// Threading: like a container of the standard library. Ownership: texts lie in the caller's arena, which must live as
// long. Failure: none.
//
//   uint32_t term = strings.Add("red", row, arena);
//   if (const Posting* rows = strings.Find("red")) ...
#ifndef SIGHTLINE_INDEX_FILTER_STRING_INDEX_H_
#define SIGHTLINE_INDEX_FILTER_STRING_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "index/filter/byte_arena.h"
#include "index/filter/filter.h"
#include "index/filter/posting.h"

namespace sightline::index {

class StringIndex {
 public:
  // Returns the text's term. A row may be added to many terms, and to one repeatedly.
  uint32_t Add(absl::string_view text, uint32_t row, ByteArena& arena);

  // Forgets the text when this was its last row; its term may come to mean another one. Returns the bytes of the arena
  // that nobody needs any more.
  size_t Remove(uint32_t term, uint32_t row);

  absl::string_view Text(uint32_t term) const { return terms_[term].text; }

  // Null when no row has it.
  const Posting* Find(absl::string_view text) const;

  // The rows with a text that is less, or whatever `op` says (not kNotEqual), than `bound`, by bytes.
  Roaring Range(CompareOp op, absl::string_view bound) const;

  // Calls function(text, posting) in the order of the texts.
  template <typename Function>
  void ForEach(Function function) const {
    for (const auto& [text, term] : order_) function(text, terms_[term].rows);
  }

  // Copies every text to `arena`, and from then on needs only that.
  void MoveTextsTo(ByteArena& arena);

  void Compress();
  size_t memory_bytes() const;

 private:
  struct Term {
    absl::string_view text;
    Posting rows;
  };

  std::vector<Term> terms_;
  std::vector<uint32_t> free_;  // terms without a text
  absl::btree_map<absl::string_view, uint32_t> order_;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_FILTER_STRING_INDEX_H_
