#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "index/kernels/scan_query.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "index/kernels/scan_score.cc"
#include <hwy/foreach_target.h>
// Highway's own order: foreach_target first.
#include <hwy/highway.h>

#include "index/kernels/int8_dot-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sightline::index::kernels::HWY_NAMESPACE {

HWY_INLINE void StoreBounds(const ScanQuery& query, CodeTrailer trailer, Int8Sum high, Int8Sum low,
                            float* HWY_RESTRICT upper, float* HWY_RESTRICT lower) {
  const float score = (query.high_scale() * static_cast<float>(TotalOf(high) - query.high_correction()) +
                       query.low_scale() * static_cast<float>(TotalOf(low) - query.low_correction())) *
                      trailer.scale;
  const float radius = query.error_weight() * trailer.error + query.scale_weight() * trailer.scale;
  *upper = score + radius;
  *lower = score - radius;
}

// Row by row from beginning to end, as in int8_score.cc.
template <bool kAsk>
HWY_INLINE void BoundRow(const ScanQuery& query, const uint8_t* HWY_RESTRICT row, const uint8_t* HWY_RESTRICT ahead,
                         float* HWY_RESTRICT upper, float* HWY_RESTRICT lower) {
  const int8_t* HWY_RESTRICT high_plane = query.high();
  const int8_t* HWY_RESTRICT low_plane = query.low();
  const size_t stride = query.layout().stride;
  auto a = ZeroInt8Sum(), b = ZeroInt8Sum(), high_a = ZeroInt8Sum(), high_b = ZeroInt8Sum();
  for (size_t line = 0; line < stride; line += CodeLayout::kAlignment) {
    if constexpr (kAsk) AskForLine(ahead + line);
    for (size_t i = line; i < line + CodeLayout::kAlignment; i += Int8Step()) {
      AddProducts(LoadQueryBytes(high_plane + i), row + i, a, high_a);
      AddProducts(LoadQueryBytes(low_plane + i), row + i, b, high_b);
    }
  }
  StoreBounds(query, query.layout().Trailer(row), AddSums(a, high_a), AddSums(b, high_b), upper, lower);
}

void ScanBoundsAt(const ScanQuery& query, const uint8_t* const* rows, size_t count, float* upper, float* lower) {
  const size_t stride = query.layout().stride;
  for (size_t r = 0; r < count && r < kRowsAhead; ++r) {
    for (size_t line = 0; line < stride; line += CodeLayout::kAlignment) AskForLine(rows[r] + line);
  }
  size_t r = 0;
  for (; r + kRowsAhead < count; ++r) BoundRow<true>(query, rows[r], rows[r + kRowsAhead], upper + r, lower + r);
  for (; r < count; ++r) BoundRow<false>(query, rows[r], nullptr, upper + r, lower + r);
}

// Four queries and one row.
HWY_INLINE void BoundFour(const ScanQuery* const* queries, const uint8_t* HWY_RESTRICT row, float* HWY_RESTRICT upper,
                          float* HWY_RESTRICT lower, size_t out_stride) {
  const CodeLayout& layout = queries[0]->layout();
  const int8_t* HWY_RESTRICT qa = queries[0]->high();
  const int8_t* HWY_RESTRICT qb = queries[1]->high();
  const int8_t* HWY_RESTRICT qc = queries[2]->high();
  const int8_t* HWY_RESTRICT qe = queries[3]->high();
  const size_t low = layout.stride;  // where the second plane begins
  auto a0 = ZeroInt8Sum(), a1 = ZeroInt8Sum(), b0 = ZeroInt8Sum(), b1 = ZeroInt8Sum();
  auto c0 = ZeroInt8Sum(), c1 = ZeroInt8Sum(), e0 = ZeroInt8Sum(), e1 = ZeroInt8Sum();
  auto a2 = ZeroInt8Sum(), a3 = ZeroInt8Sum(), b2 = ZeroInt8Sum(), b3 = ZeroInt8Sum();
  auto c2 = ZeroInt8Sum(), c3 = ZeroInt8Sum(), e2 = ZeroInt8Sum(), e3 = ZeroInt8Sum();
  for (size_t i = 0; i < layout.stride; i += Int8Step()) {
    AddProducts(LoadQueryBytes(qa + i), row + i, a0, a2);
    AddProducts(LoadQueryBytes(qb + i), row + i, b0, b2);
    AddProducts(LoadQueryBytes(qc + i), row + i, c0, c2);
    AddProducts(LoadQueryBytes(qe + i), row + i, e0, e2);
    AddProducts(LoadQueryBytes(qa + low + i), row + i, a1, a3);
    AddProducts(LoadQueryBytes(qb + low + i), row + i, b1, b3);
    AddProducts(LoadQueryBytes(qc + low + i), row + i, c1, c3);
    AddProducts(LoadQueryBytes(qe + low + i), row + i, e1, e3);
  }
  const CodeTrailer trailer = layout.Trailer(row);
  StoreBounds(*queries[0], trailer, AddSums(a0, a2), AddSums(a1, a3), upper, lower);
  StoreBounds(*queries[1], trailer, AddSums(b0, b2), AddSums(b1, b3), upper + out_stride, lower + out_stride);
  StoreBounds(*queries[2], trailer, AddSums(c0, c2), AddSums(c1, c3), upper + 2 * out_stride, lower + 2 * out_stride);
  StoreBounds(*queries[3], trailer, AddSums(e0, e2), AddSums(e1, e3), upper + 3 * out_stride, lower + 3 * out_stride);
}

void ScanBounds(const ScanQuery* const* queries, size_t num_queries, const uint8_t* rows, size_t count, float* upper,
                float* lower, size_t out_stride) {
  if (num_queries == 0) return;
  const size_t stride = queries[0]->layout().stride;
  for (size_t r = 0; r < count; ++r) {
    const uint8_t* row = rows + r * stride;
    size_t q = 0;
    for (; q + 4 <= num_queries; q += 4) {
      BoundFour(queries + q, row, upper + q * out_stride + r, lower + q * out_stride + r, out_stride);
    }
    for (; q < num_queries; ++q) {
      BoundRow<false>(*queries[q], row, nullptr, upper + q * out_stride + r, lower + q * out_stride + r);
    }
  }
}

size_t NotBelow(const float* values, size_t count, float bar, uint32_t* at) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  const auto bars = hn::Set(d, bar);
  size_t found = 0;
  size_t i = 0;
  const auto collect = [&](size_t end) HWY_ATTR {
    for (; i < end; ++i) {
      at[found] = static_cast<uint32_t>(i);
      found += values[i] < bar ? 0 : 1;
    }
  };
  while (i + lanes <= count) {
    if (hn::AllTrue(d, hn::Lt(hn::LoadU(d, values + i), bars))) {
      i += lanes;
    } else {
      collect(i + lanes);
    }
  }
  collect(count);
  return found;
}

}  // namespace sightline::index::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace sightline::index::kernels {

HWY_EXPORT(NotBelow);
HWY_EXPORT(ScanBounds);
HWY_EXPORT(ScanBoundsAt);

void ScanBoundsAt(const ScanQuery& query, const uint8_t* const* rows, size_t count, float* upper, float* lower) {
  HWY_DYNAMIC_DISPATCH(ScanBoundsAt)(query, rows, count, upper, lower);
}

void ScanBounds(const ScanQuery* const* queries, size_t num_queries, const uint8_t* rows, size_t count, float* upper,
                float* lower, size_t out_stride) {
  HWY_DYNAMIC_DISPATCH(ScanBounds)(queries, num_queries, rows, count, upper, lower, out_stride);
}

size_t NotBelow(const float* values, size_t count, float bar, uint32_t* at) {
  return HWY_DYNAMIC_DISPATCH(NotBelow)(values, count, bar, at);
}

}  // namespace sightline::index::kernels

#endif  // HWY_ONCE
