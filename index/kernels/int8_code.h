// Int8 codes: a descriptor in one byte a value, with what bounds the error of a score computed from it.
//
// A row of codes is `stride` bytes, 64-byte aligned: `dim` unsigned bytes c, where x_i ~ scale * (c_i - 128), zeros,
// and a CodeTrailer in the last 8 bytes. scale = max |x_i| / 127, so every value is off by at most scale / 2.
//
// For a query q and a row x, with q' and x' what their codes stand for: |<q,x> - <q',x'>| <= |q - q'| |x'| + |q| |x -
// x'| (Cauchy-Schwarz), which ScoreError computes; exact search is certified by it.
//
// Threading: pure functions and values. Failure: none; a row of zeros, or one that is not finite, encodes as zeros with
// an infinite error where not finite.
//
//   const kernels::CodeLayout layout(dim);
//   kernels::EncodeRow(layout, descriptor.data(), row);
//   const kernels::Int8Query query(layout, q.data());
//   kernels::Int8Scores(query, rows, count, scores.data());
#ifndef SIGHTLINE_INDEX_KERNELS_INT8_CODE_H_
#define SIGHTLINE_INDEX_KERNELS_INT8_CODE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "index/kernels/aligned.h"

namespace sightline::index::kernels {

struct CodeTrailer {
  float scale = 0;
  float error = 0;  // |x - x'|, rounded up
};

struct CodeLayout {
  static constexpr size_t kAlignment = 64;

  explicit CodeLayout(size_t values)
      : dim(values), stride((values + sizeof(CodeTrailer) + kAlignment - 1) / kAlignment * kAlignment) {}

  CodeTrailer Trailer(const uint8_t* row) const {
    CodeTrailer trailer;
    std::memcpy(&trailer, row + stride - sizeof(trailer), sizeof(trailer));
    return trailer;
  }

  size_t dim;     // values of a descriptor
  size_t stride;  // bytes of a row
};

void EncodeRow(const CodeLayout& layout, const float* values, uint8_t* row);

// The definition; what the fast version is tested against.
void EncodeRowReference(const CodeLayout& layout, const float* values, uint8_t* row);

// What a row's codes stand for: values has layout.dim of them.
void DecodeRow(const CodeLayout& layout, const uint8_t* row, float* values);

// What errors are made of: the square root, never below the true one.
float RootRoundedUp(double squared);

// A query, ready to be compared with rows of codes.
class Int8Query {
 public:
  Int8Query(const CodeLayout& layout, const float* values);
  // From a row of codes, for comparing rows with each other.
  Int8Query(const CodeLayout& layout, const uint8_t* row);
  // Takes another row's place without allocating.
  void Assign(const uint8_t* row);

  // What <q,x> may differ from the score computed.
  float ScoreError(float row_error) const { return error_ * (1 + row_error) + norm_ * row_error; }

  const CodeLayout& layout() const { return layout_; }
  const int8_t* values() const { return values_.data(); }  // stride values, zeros from dim on
  float scale() const { return scale_; }
  int32_t correction() const { return correction_; }  // 128 * sum of values: what the rows' offset adds

 private:
  CodeLayout layout_;
  AlignedVector<int8_t> values_;
  float scale_ = 0;
  float norm_ = 0;
  float error_ = 0;
  int32_t correction_ = 0;
};

// out[r] ~ <q, x_r> for the `count` rows that begin at `rows`.
void Int8Scores(const Int8Query& query, const uint8_t* rows, size_t count, float* out);

// The same for rows anywhere.
void Int8ScoresAt(const Int8Query& query, const uint8_t* const* rows, size_t count, float* out);

// The same for several queries of one layout, which share the reading of the rows: out[q * out_stride + r] is the score
// of query q and row r.
void Int8ScoresBlock(const Int8Query* const* queries, size_t num_queries, const uint8_t* rows, size_t count, float* out,
                     size_t out_stride);

// The definition in plain integers; what the fast versions are tested against, bit for bit.
float Int8ScoreReference(const Int8Query& query, const uint8_t* row);

}  // namespace sightline::index::kernels

#endif  // SIGHTLINE_INDEX_KERNELS_INT8_CODE_H_
