#include <cstddef>
#include <cstdint>

#include "index/kernels/int8_code.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "index/kernels/int8_score.cc"
#include <hwy/foreach_target.h>
// Highway's own order: foreach_target first.
#include <hwy/highway.h>

#include "index/kernels/int8_dot-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sightline::index::kernels::HWY_NAMESPACE {

// One row after the other, from its beginning to its end: the pattern that hardware prefetching is made for. Several
// rows abreast read at less than half of the speed of memory. Four sums cover the latency of adding.
template <bool kAsk>
HWY_INLINE float ScoreRow(const Int8Query& query, const uint8_t* HWY_RESTRICT row, const uint8_t* HWY_RESTRICT ahead) {
  const int8_t* HWY_RESTRICT values = query.values();
  const size_t stride = query.layout().stride;
  const size_t step = Int8Step();
  auto a = ZeroInt8Sum(), b = ZeroInt8Sum(), c = ZeroInt8Sum(), e = ZeroInt8Sum(), high = ZeroInt8Sum();
  size_t i = 0;
  for (; i + 4 * step <= stride; i += 4 * step) {
    if constexpr (kAsk) {
      for (size_t line = 0; line < 4 * step; line += CodeLayout::kAlignment) AskForLine(ahead + i + line);
    }
    AddProducts(LoadQueryBytes(values + i), row + i, a, high);
    AddProducts(LoadQueryBytes(values + i + step), row + i + step, b, high);
    AddProducts(LoadQueryBytes(values + i + 2 * step), row + i + 2 * step, c, high);
    AddProducts(LoadQueryBytes(values + i + 3 * step), row + i + 3 * step, e, high);
  }
  for (; i < stride; i += step) {
    if constexpr (kAsk) AskForLine(ahead + i);
    AddProducts(LoadQueryBytes(values + i), row + i, a, high);
  }
  const int32_t sum = TotalOf(AddSums(AddSums(AddSums(a, b), AddSums(c, e)), high));
  return query.scale() * query.layout().Trailer(row).scale * static_cast<float>(sum - query.correction());
}

void Int8Scores(const Int8Query& query, const uint8_t* rows, size_t count, float* out) {
  const size_t stride = query.layout().stride;
  for (size_t r = 0; r < count; ++r) out[r] = ScoreRow<false>(query, rows + r * stride, nullptr);
}

void Int8ScoresAt(const Int8Query& query, const uint8_t* const* rows, size_t count, float* out) {
  const size_t stride = query.layout().stride;
  for (size_t r = 0; r < count && r < kRowsAhead; ++r) {
    for (size_t line = 0; line < stride; line += CodeLayout::kAlignment) AskForLine(rows[r] + line);
  }
  size_t r = 0;
  for (; r + kRowsAhead < count; ++r) out[r] = ScoreRow<true>(query, rows[r], rows[r + kRowsAhead]);
  for (; r < count; ++r) out[r] = ScoreRow<false>(query, rows[r], nullptr);
}

// Four queries and one row.
HWY_INLINE void ScoreFour(const Int8Query* const* queries, const uint8_t* HWY_RESTRICT row, float* HWY_RESTRICT out,
                          size_t out_stride) {
  const CodeLayout& layout = queries[0]->layout();
  const int8_t* HWY_RESTRICT qa = queries[0]->values();
  const int8_t* HWY_RESTRICT qb = queries[1]->values();
  const int8_t* HWY_RESTRICT qc = queries[2]->values();
  const int8_t* HWY_RESTRICT qe = queries[3]->values();
  auto a = ZeroInt8Sum(), b = ZeroInt8Sum(), c = ZeroInt8Sum(), e = ZeroInt8Sum();
  auto ha = ZeroInt8Sum(), hb = ZeroInt8Sum(), hc = ZeroInt8Sum(), he = ZeroInt8Sum();
  for (size_t i = 0; i < layout.stride; i += Int8Step()) {
    AddProducts(LoadQueryBytes(qa + i), row + i, a, ha);
    AddProducts(LoadQueryBytes(qb + i), row + i, b, hb);
    AddProducts(LoadQueryBytes(qc + i), row + i, c, hc);
    AddProducts(LoadQueryBytes(qe + i), row + i, e, he);
  }
  const float scale = layout.Trailer(row).scale;
  const auto score = [scale](const Int8Query& query, Int8Sum sum) HWY_ATTR {
    return query.scale() * scale * static_cast<float>(TotalOf(sum) - query.correction());
  };
  out[0] = score(*queries[0], AddSums(a, ha));
  out[out_stride] = score(*queries[1], AddSums(b, hb));
  out[2 * out_stride] = score(*queries[2], AddSums(c, hc));
  out[3 * out_stride] = score(*queries[3], AddSums(e, he));
}

void Int8ScoresBlock(const Int8Query* const* queries, size_t num_queries, const uint8_t* rows, size_t count, float* out,
                     size_t out_stride) {
  if (num_queries == 0) return;
  const size_t stride = queries[0]->layout().stride;
  for (size_t r = 0; r < count; ++r) {
    const uint8_t* row = rows + r * stride;
    size_t q = 0;
    for (; q + 4 <= num_queries; q += 4) ScoreFour(queries + q, row, out + q * out_stride + r, out_stride);
    for (; q < num_queries; ++q) out[q * out_stride + r] = ScoreRow<false>(*queries[q], row, nullptr);
  }
}

}  // namespace sightline::index::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace sightline::index::kernels {

HWY_EXPORT(Int8Scores);
HWY_EXPORT(Int8ScoresAt);
HWY_EXPORT(Int8ScoresBlock);

void Int8Scores(const Int8Query& query, const uint8_t* rows, size_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(Int8Scores)(query, rows, count, out);
}

void Int8ScoresAt(const Int8Query& query, const uint8_t* const* rows, size_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(Int8ScoresAt)(query, rows, count, out);
}

void Int8ScoresBlock(const Int8Query* const* queries, size_t num_queries, const uint8_t* rows, size_t count, float* out,
                     size_t out_stride) {
  HWY_DYNAMIC_DISPATCH(Int8ScoresBlock)(queries, num_queries, rows, count, out, out_stride);
}

}  // namespace sightline::index::kernels

#endif  // HWY_ONCE
