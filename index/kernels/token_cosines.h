// Cosines between the patch tokens of two images: every result token (rows) with every query token (columns).
//
// Int8 tokens on both sides are multiplied as bytes where the machine has an instruction for it (AVX-512 VNNI), exactly
// in int32; all others, and all on other machines, as float32 unit vectors. Tokens count as unit vectors whatever their
// scale: an integer product is divided by both integer norms, and of the scales of int8 tokens only the sign counts. A
// token of zeros, or of scale 0, has the cosine 0 to everything.
//
// Columns are padded to a multiple of 16 with tokens of zeros. Threading: QueryTokens is read-only once made; a
// TokenRows belongs to one thread. Ownership: both copy. Failure: none; tokens are finite.
//
//   const kernels::QueryTokens query(tokens.values.data(), tokens.scales.data(), cells, tokens.dim);
//   kernels::TokenRows rows;  // kept, so that nothing is allocated for the next result
//   rows.Assign(query, result.values.data(), result.scales.data(), result_cells);  // the query that they are compared
//   with kernels::TokenCosines(query, rows, 0, rows.count(), cosines.data());  // rows.count() x query.stride()
#ifndef SIGHTLINE_INDEX_KERNELS_TOKEN_COSINES_H_
#define SIGHTLINE_INDEX_KERNELS_TOKEN_COSINES_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "index/kernels/aligned.h"

namespace sightline::index::kernels {

inline constexpr size_t kColumnPanel = 16;

inline size_t PaddedColumns(size_t columns) { return (columns + kColumnPanel - 1) / kColumnPanel * kColumnPanel; }

// The query's tokens, packed so that the same value of 16 tokens lies together.
class QueryTokens {
 public:
  QueryTokens() = default;
  // The tokens of `cells`, where token t begins at tokens + t * dim.
  QueryTokens(const float* tokens, absl::Span<const int> cells, size_t dim);
  QueryTokens(const int8_t* tokens, const float* scales, absl::Span<const int> cells, size_t dim);

  // Becomes those columns of `from`, in what rows of the kind of `rows` are compared with. Nothing is allocated where
  // as many fitted before.
  void AssignColumns(const QueryTokens& from, absl::Span<const int> columns, bool as_codes);

  size_t count() const { return count_; }
  size_t stride() const { return PaddedColumns(count_); }
  size_t dim() const { return dim_; }
  bool has_codes() const { return !codes_.empty(); }

  const float* floats() const { return floats_.data(); }                // [stride / 16][dim][16], unit vectors
  const uint8_t* codes() const { return codes_.data(); }                // [stride / 16][ceil(dim / 4)][16][4], + 128
  const float* inverse_norms() const { return inverse_norms_.data(); }  // as TokenRows has them; stride

 private:
  size_t count_ = 0;
  size_t dim_ = 0;
  AlignedVector<float> floats_;
  AlignedVector<uint8_t> codes_;
  AlignedVector<float> inverse_norms_;
};

// A result's tokens, as the query they are compared with needs them.
class TokenRows {
 public:
  void Assign(const QueryTokens& query, const float* tokens, absl::Span<const int> cells);
  void Assign(const QueryTokens& query, const int8_t* tokens, const float* scales, absl::Span<const int> cells);

  size_t count() const { return count_; }
  bool as_codes() const { return as_codes_; }

  // One of the two. Rows of bytes are padded to a multiple of 4.
  const float* floats(size_t row) const { return floats_.data() + row * stride_; }
  const int8_t* codes(size_t row) const { return codes_.data() + row * stride_; }
  float inverse_norm(size_t row) const { return inverse_norms_[row]; }  // of the codes, with the scale's sign
  int32_t correction(size_t row) const { return corrections_[row]; }    // 128 * sum of codes: what the offset adds

  size_t bytes() const;
  void Release();

 private:
  size_t count_ = 0;
  size_t stride_ = 0;
  bool as_codes_ = false;
  AlignedVector<float> floats_;
  AlignedVector<int8_t> codes_;
  AlignedVector<float> inverse_norms_;
  AlignedVector<int32_t> corrections_;
};

// cosines[(row - first) * query.stride() + column] for `count` rows from `first`; those of the padding are 0.
void TokenCosines(const QueryTokens& query, const TokenRows& rows, size_t first, size_t count, float* cosines);

// maxima[column]: the greatest of each column of `count` >= 1 rows of `stride` cosines.
void ColumnMaxima(const float* cosines, size_t count, size_t stride, float* maxima);

// Cosines with a vector of length 1: of every query token (stride values), and of every result token.
void QueryCosines(const QueryTokens& query, const float* unit, float* cosines);
void ResultCosines(const float* tokens, size_t count, size_t dim, const float* unit, float* cosines);
void ResultCosines(const int8_t* tokens, const float* scales, size_t count, size_t dim, const float* unit,
                   float* cosines);

// The definition in double precision; what the fast versions are tested against.
double TokenCosineReference(const float* a, const float* b, size_t dim);

}  // namespace sightline::index::kernels

#endif  // SIGHTLINE_INDEX_KERNELS_TOKEN_COSINES_H_
