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

// How many rows ahead Int8ScoresAt asks memory for: enough to keep it busy, few enough to stay in the second-level
// cache.
constexpr size_t kRowsAhead = 6;

// The hint is for the second-level cache, which can have far more lines under way than the first.
HWY_INLINE void Ask(const uint8_t* line) { __builtin_prefetch(line, 0, 2); }

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
      for (size_t line = 0; line < 4 * step; line += CodeLayout::kAlignment) Ask(ahead + i + line);
    }
    AddProducts(LoadQueryBytes(values + i), row + i, a, high);
    AddProducts(LoadQueryBytes(values + i + step), row + i + step, b, high);
    AddProducts(LoadQueryBytes(values + i + 2 * step), row + i + 2 * step, c, high);
    AddProducts(LoadQueryBytes(values + i + 3 * step), row + i + 3 * step, e, high);
  }
  for (; i < stride; i += step) {
    if constexpr (kAsk) Ask(ahead + i);
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
    for (size_t line = 0; line < stride; line += CodeLayout::kAlignment) Ask(rows[r] + line);
  }
  size_t r = 0;
  for (; r + kRowsAhead < count; ++r) out[r] = ScoreRow<true>(query, rows[r], rows[r + kRowsAhead]);
  for (; r < count; ++r) out[r] = ScoreRow<false>(query, rows[r], nullptr);
}

}  // namespace sightline::index::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace sightline::index::kernels {

HWY_EXPORT(Int8Scores);
HWY_EXPORT(Int8ScoresAt);

void Int8Scores(const Int8Query& query, const uint8_t* rows, size_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(Int8Scores)(query, rows, count, out);
}

void Int8ScoresAt(const Int8Query& query, const uint8_t* const* rows, size_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(Int8ScoresAt)(query, rows, count, out);
}

}  // namespace sightline::index::kernels

#endif  // HWY_ONCE
