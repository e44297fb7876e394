// One image's tokens as the card keeps them: one piece of bytes, and where in it is what (transport_kernels.h has the
// order of the values).
//
// Int8 and half precision keep their values; other floats are made unit vectors first, so that their squares stay in
// the range of a float.
//
// Threading: pure functions and values. Ownership: Encode only looks at the tokens. Failure: none; CheckPatches has
// passed the tokens.
//
//   const CardTokensLayout layout(tokens);
//   layout.Encode(tokens, staging);             // layout.bytes() of them
//   pair.rows.tokens = layout.At(on_the_card);  // where they were copied to
#ifndef SIGHTLINE_INDEX_RERANK_CARD_TOKENS_H_
#define SIGHTLINE_INDEX_RERANK_CARD_TOKENS_H_

#include <cstddef>

#include "index/record.h"
#include "index/rerank/transport_kernels.h"

namespace sightline::index::rerank {

class CardTokensLayout {
 public:
  CardTokensLayout() = default;
  explicit CardTokensLayout(const PatchTokens& tokens);

  size_t bytes() const { return bytes_; }
  QuadKind kind() const { return kind_; }
  int cells() const { return static_cast<int>(cells_); }
  int quads() const { return static_cast<int>(quads_); }
  // Whether they can be weighed by it: a centre, and importances, that CheckPatches would pass.
  bool has_centre() const { return has_centre_; }
  bool has_importance() const { return has_importance_; }

  void Encode(const PatchTokens& tokens, char* to) const;
  // `card`: aligned to 16 bytes.
  CardTokens At(const char* card) const;

 private:
  void EncodeCodes(const PatchTokens& tokens, char* quads, float* norms) const;
  void EncodeFloats(const PatchTokens& tokens, char* quads, float* norms) const;

  QuadKind kind_ = QuadKind::kInt8;
  size_t cells_ = 0;
  size_t dim_ = 0;
  size_t quads_ = 0;  // of a token
  bool has_centre_ = false, has_importance_ = false;
  // The centre comes first.
  size_t quads_at_ = 0, norms_at_ = 0, importance_at_ = 0, bytes_ = 0;
};

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_CARD_TOKENS_H_
