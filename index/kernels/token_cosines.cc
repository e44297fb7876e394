#include "index/kernels/token_cosines.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#ifndef SIGHTLINE_INDEX_KERNELS_TOKEN_COSINES_ONCE
#define SIGHTLINE_INDEX_KERNELS_TOKEN_COSINES_ONCE

namespace sightline::index::kernels {

// What makes a token of this square of its length in codes, and of this scale, a unit vector.
inline float InverseNorm(int64_t square, float scale) {
  if (square == 0 || scale == 0) return 0;
  return static_cast<float>((scale < 0 ? -1 : 1) / std::sqrt(static_cast<double>(square)));
}

}  // namespace sightline::index::kernels

#endif  // once for all levels

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "index/kernels/token_cosines.cc"
#include <hwy/foreach_target.h>
// Highway's own order: foreach_target first.
#include <hwy/highway.h>

#include "index/kernels/int8_dot-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sightline::index::kernels::HWY_NAMESPACE {

// A block of sums stays in registers: kBlockRows result tokens and kBlockVectors vectors of query tokens, whose loads
// they share. 24 of 32 registers with AVX-512, 12 of 16 with AVX2, 24 of 32 on Arm.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
constexpr size_t kBlockRows = 6, kBlockVectors = 4;
#elif HWY_ARCH_ARM_A64
constexpr size_t kBlockRows = 6, kBlockVectors = 4;
#elif HWY_TARGET == HWY_AVX2
constexpr size_t kBlockRows = 6, kBlockVectors = 2;
#else
constexpr size_t kBlockRows = 3, kBlockVectors = 4;
#endif

// Loops over a block are unrolled by force: an array of sums that is indexed by a variable lives in memory.
#define SIGHTLINE_UNROLL _Pragma("GCC unroll 8")

using FloatTag = hn::CappedTag<float, kColumnPanel>;
using Floats = hn::Vec<FloatTag>;

HWY_INLINE Floats LoadFloats(FloatTag d, const float* values) { return hn::LoadU(d, values); }
HWY_INLINE Floats LoadFloats(FloatTag d, const int8_t* values) {
  return hn::ConvertTo(
      d, hn::PromoteTo(hn::RebindToSigned<FloatTag>(), hn::LoadU(hn::Rebind<int8_t, FloatTag>(), values)));
}

// Rows `row` on (the last one again where they end) and kVectors vectors of columns.
template <size_t kVectors>
HWY_INLINE void FloatBlock(const float* const* rows, const float* HWY_RESTRICT columns, size_t dim, float* const* out) {
  const FloatTag d;
  const size_t lanes = hn::Lanes(d);
  const size_t vectors_of_panel = kColumnPanel / lanes;
  Floats sums[kBlockRows][kVectors];
  SIGHTLINE_UNROLL
  for (size_t r = 0; r < kBlockRows; ++r) {
    SIGHTLINE_UNROLL
    for (size_t v = 0; v < kVectors; ++v) sums[r][v] = hn::Zero(d);
  }
  for (size_t k = 0; k < dim; ++k) {
    Floats column[kVectors];
    SIGHTLINE_UNROLL
    for (size_t v = 0; v < kVectors; ++v) {
      const size_t panel = v / vectors_of_panel;
      column[v] = hn::Load(d, columns + (panel * dim + k) * kColumnPanel + v % vectors_of_panel * lanes);
    }
    SIGHTLINE_UNROLL
    for (size_t r = 0; r < kBlockRows; ++r) {
      const auto value = hn::Set(d, rows[r][k]);
      SIGHTLINE_UNROLL
      for (size_t v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(value, column[v], sums[r][v]);
    }
  }
  SIGHTLINE_UNROLL
  for (size_t r = 0; r < kBlockRows; ++r) {
    SIGHTLINE_UNROLL
    for (size_t v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], d, out[r] + v * lanes);
  }
}

void FloatCosines(const QueryTokens& query, const TokenRows& rows, size_t first, size_t count, float* cosines) {
  const size_t lanes = hn::Lanes(FloatTag());
  const size_t dim = query.dim(), stride = query.stride();
  for (size_t begin = 0; begin < count; begin += kBlockRows) {
    const float* row[kBlockRows];
    float* out[kBlockRows];
    for (size_t r = 0; r < kBlockRows; ++r) {
      const size_t at = std::min(begin + r, count - 1);
      row[r] = rows.floats(first + at);
      out[r] = cosines + at * stride;
    }
    const auto block = [&]<size_t kVectors>(size_t column) HWY_ATTR {
      float* to[kBlockRows];
      for (size_t r = 0; r < kBlockRows; ++r) to[r] = out[r] + column;
      FloatBlock<kVectors>(row, query.floats() + column / kColumnPanel * dim * kColumnPanel + column % kColumnPanel,
                           dim, to);
    };
    size_t column = 0;
    for (; column + kBlockVectors * lanes <= stride; column += kBlockVectors * lanes) {
      block.template operator()<kBlockVectors>(column);
    }
    for (; column < stride; column += lanes) block.template operator()<1>(column);
  }
}

#if HWY_TARGET == HWY_AVX3_DL

// As FloatBlock. An instruction of its own for each product: g++ keeps sums in memory that go through the intrinsic.
template <size_t kPanels>
HWY_INLINE void CodeBlock(const int8_t* const* rows, const uint8_t* HWY_RESTRICT columns, size_t words,
                          __m512i (&sums)[kBlockRows][kPanels]) {
  SIGHTLINE_UNROLL
  for (size_t r = 0; r < kBlockRows; ++r) {
    SIGHTLINE_UNROLL
    for (size_t v = 0; v < kPanels; ++v) sums[r][v] = _mm512_setzero_si512();
  }
  for (size_t k = 0; k < words; ++k) {
    __m512i column[kPanels];
    SIGHTLINE_UNROLL
    for (size_t v = 0; v < kPanels; ++v) column[v] = _mm512_load_si512(columns + (v * words + k) * 64);
    SIGHTLINE_UNROLL
    for (size_t r = 0; r < kBlockRows; ++r) {
      int32_t word;
      std::memcpy(&word, rows[r] + 4 * k, sizeof(word));
      const __m512i value = _mm512_set1_epi32(word);
      SIGHTLINE_UNROLL
      for (size_t v = 0; v < kPanels; ++v) asm("vpdpbusd %2, %1, %0" : "+v"(sums[r][v]) : "v"(column[v]), "v"(value));
    }
  }
}

bool HasCodeProducts() { return true; }

void CodeCosines(const QueryTokens& query, const TokenRows& rows, size_t first, size_t count, float* cosines) {
  const size_t words = (query.dim() + 3) / 4, stride = query.stride();
  for (size_t begin = 0; begin < count; begin += kBlockRows) {
    const int8_t* row[kBlockRows];
    size_t at[kBlockRows];
    for (size_t r = 0; r < kBlockRows; ++r) {
      at[r] = std::min(begin + r, count - 1);
      row[r] = rows.codes(first + at[r]);
    }
    const auto block = [&]<size_t kPanels>(size_t column) HWY_ATTR {
      __m512i sums[kBlockRows][kPanels];
      CodeBlock<kPanels>(row, query.codes() + column * words * 4, words, sums);
      SIGHTLINE_UNROLL
      for (size_t r = 0; r < kBlockRows; ++r) {
        const __m512i correction = _mm512_set1_epi32(rows.correction(first + at[r]));
        const __m512 norm = _mm512_set1_ps(rows.inverse_norm(first + at[r]));
        SIGHTLINE_UNROLL
        for (size_t v = 0; v < kPanels; ++v) {
          const __m512 product = _mm512_cvtepi32_ps(_mm512_sub_epi32(sums[r][v], correction));
          const __m512 norms = _mm512_mul_ps(norm, _mm512_load_ps(query.inverse_norms() + column + v * kColumnPanel));
          _mm512_storeu_ps(cosines + at[r] * stride + column + v * kColumnPanel, _mm512_mul_ps(product, norms));
        }
      }
    };
    size_t column = 0;
    for (; column + kBlockVectors * kColumnPanel <= stride; column += kBlockVectors * kColumnPanel) {
      block.template operator()<kBlockVectors>(column);
    }
    for (; column < stride; column += kColumnPanel) block.template operator()<1>(column);
  }
}

// One row of bytes with its norm and correction; `padded` is a multiple of 4.
void CopyCodes(const int8_t* HWY_RESTRICT from, size_t dim, size_t padded, int8_t* HWY_RESTRICT to, int64_t* square,
               int32_t* sum) {
  __m512i with_offset = _mm512_setzero_si512(), plain = _mm512_setzero_si512();
  const __m512i offset = _mm512_set1_epi8(-128), ones = _mm512_set1_epi8(1);
  for (size_t i = 0; i < padded; i += 64) {
    const size_t read = std::min<size_t>(64, dim - i), written = std::min<size_t>(64, padded - i);
    const __m512i values = _mm512_maskz_loadu_epi8(_cvtu64_mask64(~uint64_t{0} >> (64 - read)), from + i);
    _mm512_mask_storeu_epi8(to + i, _cvtu64_mask64(~uint64_t{0} >> (64 - written)), values);
    with_offset = _mm512_dpbusd_epi32(with_offset, _mm512_xor_si512(values, offset), values);
    plain = _mm512_dpbusd_epi32(plain, ones, values);
  }
  *sum = _mm512_reduce_add_epi32(plain);
  *square = _mm512_reduce_add_epi32(with_offset) - int64_t{128} * *sum;
}

#else

bool HasCodeProducts() { return false; }
void CodeCosines(const QueryTokens&, const TokenRows&, size_t, size_t, float*) {}
void CopyCodes(const int8_t*, size_t, size_t, int8_t*, int64_t*, int32_t*) {}

#endif

void CopyUnitDoubles(const float* from, size_t dim, float* to) {
  double square = 0;
  for (size_t i = 0; i < dim; ++i) square += static_cast<double>(from[i]) * from[i];
  const double inverse = square > 0 ? 1 / std::sqrt(square) : 0;
  for (size_t i = 0; i < dim; ++i) to[i] = static_cast<float>(from[i] * inverse);
}

// to[i] = from[i] / |from|.
void CopyUnitFloats(const float* HWY_RESTRICT from, size_t dim, float* HWY_RESTRICT to) {
  const FloatTag d;
  const size_t lanes = hn::Lanes(d);
  auto a = hn::Zero(d), b = hn::Zero(d);
  size_t i = 0;
  for (; i + 2 * lanes <= dim; i += 2 * lanes) {
    const auto x = hn::LoadU(d, from + i), y = hn::LoadU(d, from + i + lanes);
    a = hn::MulAdd(x, x, a);
    b = hn::MulAdd(y, y, b);
  }
  double square = hn::GetLane(hn::SumOfLanes(d, hn::Add(a, b)));
  for (size_t t = i; t < dim; ++t) square += static_cast<double>(from[t]) * from[t];
  // Squares of floats may leave their range; those of doubles made of floats do not.
  if (!(square > 1e-20 && square < 1e20)) return CopyUnitDoubles(from, dim, to);
  const float inverse = static_cast<float>(1 / std::sqrt(square));
  const auto factor = hn::Set(d, inverse);
  for (i = 0; i + lanes <= dim; i += lanes) hn::StoreU(hn::Mul(hn::LoadU(d, from + i), factor), d, to + i);
  for (; i < dim; ++i) to[i] = from[i] * inverse;
}

// The same from bytes.
void CopyUnitBytes(const int8_t* HWY_RESTRICT from, float scale, size_t dim, float* HWY_RESTRICT to) {
  int64_t square = 0;
  for (size_t i = 0; i < dim; ++i) square += int32_t{from[i]} * from[i];
  const float inverse = InverseNorm(square, scale);
  const FloatTag d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= dim; i += lanes) hn::StoreU(hn::Mul(LoadFloats(d, from + i), hn::Set(d, inverse)), d, to + i);
  for (; i < dim; ++i) to[i] = static_cast<float>(from[i]) * inverse;
}

void ColumnMaximaOf(const float* cosines, size_t count, size_t stride, float* maxima) {
  const FloatTag d;
  for (size_t j = 0; j < stride; j += hn::Lanes(d)) {
    auto most = hn::LoadU(d, cosines + j);
    for (size_t i = 1; i < count; ++i) most = hn::Max(most, hn::LoadU(d, cosines + i * stride + j));
    hn::StoreU(most, d, maxima + j);
  }
}

void PanelProducts(const float* HWY_RESTRICT panels, size_t stride, size_t dim, const float* HWY_RESTRICT unit,
                   float* HWY_RESTRICT products) {
  const FloatTag d;
  for (size_t j = 0; j < stride; j += hn::Lanes(d)) {
    const float* HWY_RESTRICT values = panels + j / kColumnPanel * dim * kColumnPanel + j % kColumnPanel;
    auto even = hn::Zero(d), odd = hn::Zero(d);
    size_t k = 0;
    for (; k + 2 <= dim; k += 2) {
      even = hn::MulAdd(hn::Load(d, values + k * kColumnPanel), hn::Set(d, unit[k]), even);
      odd = hn::MulAdd(hn::Load(d, values + (k + 1) * kColumnPanel), hn::Set(d, unit[k + 1]), odd);
    }
    if (k < dim) even = hn::MulAdd(hn::Load(d, values + k * kColumnPanel), hn::Set(d, unit[k]), even);
    hn::StoreU(hn::Add(even, odd), d, products + j);
  }
}

// cosines[r] = tokens[r] . unit / |tokens[r]|.
template <typename T>
HWY_INLINE void CosinesWith(const T* HWY_RESTRICT tokens, size_t count, size_t dim, const float* HWY_RESTRICT unit,
                            float* HWY_RESTRICT cosines) {
  const FloatTag d;
  const size_t lanes = hn::Lanes(d);
  for (size_t r = 0; r < count; ++r) {
    const T* HWY_RESTRICT token = tokens + r * dim;
    auto products = hn::Zero(d), squares = hn::Zero(d);
    size_t k = 0;
    for (; k + lanes <= dim; k += lanes) {
      const auto values = LoadFloats(d, token + k);
      products = hn::MulAdd(values, hn::LoadU(d, unit + k), products);
      squares = hn::MulAdd(values, values, squares);
    }
    double product = hn::GetLane(hn::SumOfLanes(d, products)), square = hn::GetLane(hn::SumOfLanes(d, squares));
    for (size_t t = k; t < dim; ++t) {
      product += static_cast<double>(token[t]) * unit[t];
      square += static_cast<double>(token[t]) * token[t];
    }
    if (!(square > 1e-20 && square < 1e20)) {
      product = square = 0;
      for (size_t t = 0; t < dim; ++t) {
        product += static_cast<double>(token[t]) * unit[t];
        square += static_cast<double>(token[t]) * token[t];
      }
    }
    cosines[r] = square > 0 ? static_cast<float>(product / std::sqrt(square)) : 0;
  }
}

void FloatCosinesWith(const float* tokens, size_t count, size_t dim, const float* unit, float* cosines) {
  CosinesWith(tokens, count, dim, unit, cosines);
}

void CodeCosinesWith(const int8_t* tokens, size_t count, size_t dim, const float* unit, float* cosines) {
  CosinesWith(tokens, count, dim, unit, cosines);
}

}  // namespace sightline::index::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace sightline::index::kernels {

HWY_EXPORT(FloatCosines);
HWY_EXPORT(CodeCosines);
HWY_EXPORT(HasCodeProducts);
HWY_EXPORT(CopyCodes);
HWY_EXPORT(ColumnMaximaOf);
HWY_EXPORT(PanelProducts);
HWY_EXPORT(FloatCosinesWith);
HWY_EXPORT(CodeCosinesWith);
HWY_EXPORT(CopyUnitFloats);
HWY_EXPORT(CopyUnitBytes);

namespace {

struct FloatSource {
  const float* tokens;
  size_t dim;
  void CopyUnit(int cell, float* to) const {
    HWY_DYNAMIC_DISPATCH(CopyUnitFloats)(tokens + static_cast<size_t>(cell) * dim, dim, to);
  }
};

struct CodeSource {
  const int8_t* tokens;
  const float* scales;
  size_t dim;
  void CopyUnit(int cell, float* to) const {
    const size_t token = static_cast<size_t>(cell);
    HWY_DYNAMIC_DISPATCH(CopyUnitBytes)(tokens + token * dim, scales[token], dim, to);
  }
};

template <typename Source>
AlignedVector<float> PackedFloats(const Source& source, absl::Span<const int> cells) {
  const size_t dim = source.dim;
  AlignedVector<float> packed(PaddedColumns(cells.size()) * dim), unit(dim);
  for (size_t c = 0; c < cells.size(); ++c) {
    source.CopyUnit(cells[c], unit.data());
    float* to = packed.data() + c / kColumnPanel * dim * kColumnPanel + c % kColumnPanel;
    for (size_t k = 0; k < dim; ++k) to[k * kColumnPanel] = unit[k];
  }
  return packed;
}

template <typename Source>
void CopyUnitRows(const Source& source, absl::Span<const int> cells, AlignedVector<float>& rows) {
  rows.resize(std::max(rows.size(), cells.size() * source.dim));
  for (size_t r = 0; r < cells.size(); ++r) source.CopyUnit(cells[r], rows.data() + r * source.dim);
}

}  // namespace

QueryTokens::QueryTokens(const float* tokens, absl::Span<const int> cells, size_t dim)
    : count_(cells.size()), dim_(dim), floats_(PackedFloats(FloatSource{tokens, dim}, cells)) {}

QueryTokens::QueryTokens(const int8_t* tokens, const float* scales, absl::Span<const int> cells, size_t dim)
    : count_(cells.size()),
      dim_(dim),
      floats_(PackedFloats(CodeSource{tokens, scales, dim}, cells)),
      inverse_norms_(stride()) {
  const size_t words = (dim + 3) / 4;
  codes_.assign(stride() * words * 4, 128);
  for (size_t c = 0; c < count_; ++c) {
    const int8_t* token = tokens + static_cast<size_t>(cells[c]) * dim;
    int64_t square = 0;
    for (size_t k = 0; k < dim; ++k) {
      codes_[((c / kColumnPanel * words + k / 4) * kColumnPanel + c % kColumnPanel) * 4 + k % 4] =
          static_cast<uint8_t>(token[k] + 128);
      square += int32_t{token[k]} * token[k];
    }
    inverse_norms_[c] = InverseNorm(square, scales[cells[c]]);
  }
}

namespace {

// Values of four bytes: `words` of every one of the chosen columns, panel by panel.
template <typename T>
void CopyColumns(const AlignedVector<T>& from, absl::Span<const int> columns, size_t words, AlignedVector<T>& to) {
  constexpr size_t kValues = sizeof(float) / sizeof(T);
  to.resize(PaddedColumns(columns.size()) * words * kValues);
  for (size_t c = 0; c < PaddedColumns(columns.size()); ++c) {
    T* into = to.data() + (c / kColumnPanel * words * kColumnPanel + c % kColumnPanel) * kValues;
    if (c >= columns.size()) {
      for (size_t k = 0; k < words; ++k) std::memset(into + k * kColumnPanel * kValues, 0, sizeof(float));
      continue;
    }
    const size_t column = static_cast<size_t>(columns[c]);
    const T* out = from.data() + (column / kColumnPanel * words * kColumnPanel + column % kColumnPanel) * kValues;
    for (size_t k = 0; k < words; ++k) {
      std::memcpy(into + k * kColumnPanel * kValues, out + k * kColumnPanel * kValues, sizeof(float));
    }
  }
}

}  // namespace

void QueryTokens::AssignColumns(const QueryTokens& from, absl::Span<const int> columns, bool as_codes) {
  count_ = columns.size();
  dim_ = from.dim_;
  if (!as_codes) {
    codes_.clear();
    CopyColumns(from.floats_, columns, dim_, floats_);
    return;
  }
  floats_.clear();
  CopyColumns(from.codes_, columns, (dim_ + 3) / 4, codes_);
  inverse_norms_.assign(stride(), 0.0f);
  for (size_t c = 0; c < count_; ++c) inverse_norms_[c] = from.inverse_norms_[static_cast<size_t>(columns[c])];
}

void TokenRows::Assign(const QueryTokens& query, const float* tokens, absl::Span<const int> cells) {
  count_ = cells.size();
  stride_ = query.dim();
  as_codes_ = false;
  CopyUnitRows(FloatSource{tokens, stride_}, cells, floats_);
}

void TokenRows::Assign(const QueryTokens& query, const int8_t* tokens, const float* scales,
                       absl::Span<const int> cells) {
  count_ = cells.size();
  as_codes_ = query.has_codes() && HWY_DYNAMIC_DISPATCH(HasCodeProducts)();
  if (!as_codes_) {
    stride_ = query.dim();
    CopyUnitRows(CodeSource{tokens, scales, stride_}, cells, floats_);
    return;
  }
  stride_ = (query.dim() + 3) / 4 * 4;
  codes_.resize(std::max(codes_.size(), count_ * stride_));
  inverse_norms_.resize(std::max(inverse_norms_.size(), count_));
  corrections_.resize(std::max(corrections_.size(), count_));
  for (size_t r = 0; r < count_; ++r) {
    int64_t square = 0;
    int32_t sum = 0;
    HWY_DYNAMIC_DISPATCH(CopyCodes)
    (tokens + static_cast<size_t>(cells[r]) * query.dim(), query.dim(), stride_, codes_.data() + r * stride_, &square,
     &sum);
    inverse_norms_[r] = InverseNorm(square, scales[cells[r]]);
    corrections_[r] = 128 * sum;
  }
}

size_t TokenRows::bytes() const {
  return (floats_.capacity() + inverse_norms_.capacity() + corrections_.capacity()) * 4 + codes_.capacity();
}

void TokenRows::Release() { *this = TokenRows(); }

void TokenCosines(const QueryTokens& query, const TokenRows& rows, size_t first, size_t count, float* cosines) {
  if (rows.as_codes()) {
    HWY_DYNAMIC_DISPATCH(CodeCosines)(query, rows, first, count, cosines);
  } else {
    HWY_DYNAMIC_DISPATCH(FloatCosines)(query, rows, first, count, cosines);
  }
}

void ColumnMaxima(const float* cosines, size_t count, size_t stride, float* maxima) {
  HWY_DYNAMIC_DISPATCH(ColumnMaximaOf)(cosines, count, stride, maxima);
}

void QueryCosines(const QueryTokens& query, const float* unit, float* cosines) {
  HWY_DYNAMIC_DISPATCH(PanelProducts)(query.floats(), query.stride(), query.dim(), unit, cosines);
}

void ResultCosines(const float* tokens, size_t count, size_t dim, const float* unit, float* cosines) {
  HWY_DYNAMIC_DISPATCH(FloatCosinesWith)(tokens, count, dim, unit, cosines);
}

void ResultCosines(const int8_t* tokens, const float* scales, size_t count, size_t dim, const float* unit,
                   float* cosines) {
  HWY_DYNAMIC_DISPATCH(CodeCosinesWith)(tokens, count, dim, unit, cosines);
  for (size_t t = 0; t < count; ++t) {
    if (!(scales[t] > 0)) cosines[t] *= scales[t] < 0 ? -1.0f : 0.0f;
  }
}

double TokenCosineReference(const float* a, const float* b, size_t dim) {
  double product = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < dim; ++i) {
    product += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return aa > 0 && bb > 0 ? product / std::sqrt(aa * bb) : 0;
}

}  // namespace sightline::index::kernels

#endif  // HWY_ONCE
