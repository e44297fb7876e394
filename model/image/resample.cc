#include "model/image/resample.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/image/resample.cc"
#include <hwy/foreach_target.h>
// Highway's own order: foreach_target first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace sightline::image::HWY_NAMESPACE {
namespace hn = ::hwy::HWY_NAMESPACE;

// Rows go through the filter so many at a time, one to a lane: then a tap is one weight for all lanes, and nothing has
// to be added up across them.
constexpr size_t kBlock = 16;

// out[c * kBlock + r] = in[r][c], for 16 x 16 bytes.
void Transpose(const uint8_t* const* in, uint8_t* HWY_RESTRICT out) {
#if HWY_TARGET == HWY_SCALAR
  for (size_t r = 0; r < kBlock; ++r) {
    for (size_t c = 0; c < kBlock; ++c) out[c * kBlock + r] = in[r][c];
  }
#else
  const hn::FixedTag<uint8_t, kBlock> d8;
  using Vector = hn::Vec<decltype(d8)>;
  Vector a[kBlock];
  Vector b[kBlock];
  for (size_t r = 0; r < kBlock; ++r) a[r] = hn::LoadU(d8, in[r]);
  // A perfect shuffle of all bytes moves the top bit of a byte's address to its bottom; after four of them row and
  // column have changed places.
  const auto shuffle = [d8](const Vector* from, Vector* to) HWY_ATTR {
    for (size_t r = 0; r < kBlock / 2; ++r) {
      to[2 * r] = hn::InterleaveLower(d8, from[r], from[r + kBlock / 2]);
      to[2 * r + 1] = hn::InterleaveUpper(d8, from[r], from[r + kBlock / 2]);
    }
  };
  shuffle(a, b);
  shuffle(b, a);
  shuffle(a, b);
  shuffle(b, a);
  for (size_t c = 0; c < kBlock; ++c) hn::StoreU(a[c], d8, out + c * kBlock);
#endif
}

// `columns` bytes of the rows in[0..15], to columns of 16 bytes.
void TransposeIn(const uint8_t* const* in, size_t columns, uint8_t* HWY_RESTRICT out) {
  const uint8_t* rows[kBlock];
  size_t c = 0;
  for (; c + kBlock <= columns; c += kBlock) {
    for (size_t r = 0; r < kBlock; ++r) rows[r] = in[r] + c;
    Transpose(rows, out + c * kBlock);
  }
  if (c == columns) return;
  uint8_t rest[kBlock][kBlock] = {};
  for (size_t r = 0; r < kBlock; ++r) {
    std::memcpy(rest[r], in[r] + c, columns - c);
    rows[r] = rest[r];
  }
  Transpose(rows, out + c * kBlock);
}

// And back: `rows` rows of `columns` bytes. `in` has columns up to the next multiple of 16.
void TransposeOut(const uint8_t* HWY_RESTRICT in, size_t columns, size_t rows, uint8_t* HWY_RESTRICT out) {
  uint8_t block[kBlock * kBlock];
  const uint8_t* lines[kBlock];
  for (size_t c = 0; c < columns; c += kBlock) {
    for (size_t i = 0; i < kBlock; ++i) lines[i] = in + (c + i) * kBlock;
    Transpose(lines, block);
    const size_t bytes = std::min(kBlock, columns - c);
    for (size_t r = 0; r < rows; ++r) std::memcpy(out + r * columns + c, block + r * kBlock, bytes);
  }
}

template <class D32, class V32>
void StoreRounded(D32 d32, V32 sum, uint8_t* out) {
  const hn::Rebind<uint8_t, D32> d8;
  const auto half = hn::Set(d32, 1 << (kWeightBits - 1));
  hn::StoreU(hn::DemoteTo(d8, hn::ShiftRight<kWeightBits>(hn::Add(sum, half))), d8, out);
}

void Rows(const ResampleFilter& filter, const uint8_t* in, size_t stride, int width, int rows, uint8_t* out) {
  const hn::CappedTag<int32_t, kBlock> d32;
  const hn::Rebind<uint8_t, decltype(d32)> d8;
  const size_t lanes = hn::Lanes(d32);
  const size_t outputs = filter.first.size();
  const size_t in_bytes = 3 * static_cast<size_t>(width);
  const size_t out_bytes = 3 * outputs;
  const auto padded = [](size_t bytes) { return (bytes + kBlock - 1) / kBlock * kBlock * kBlock; };
  std::vector<uint8_t> columns(padded(in_bytes));
  std::vector<uint8_t> resampled(padded(out_bytes));
  for (size_t y = 0; y < static_cast<size_t>(rows); y += kBlock) {
    const size_t used = std::min(kBlock, static_cast<size_t>(rows) - y);
    const uint8_t* lines[kBlock];
    // Lanes without a row repeat the last one.
    for (size_t r = 0; r < kBlock; ++r) lines[r] = in + (y + std::min(r, used - 1)) * stride;
    TransposeIn(lines, in_bytes, columns.data());
    for (size_t i = 0; i < outputs; ++i) {
      const int32_t* weights = &filter.weights[i * static_cast<size_t>(filter.taps)];
      const uint8_t* first = &columns[3 * static_cast<size_t>(filter.first[i]) * kBlock];
      for (size_t c = 0; c < 3; ++c) {
        for (size_t lane = 0; lane < kBlock; lane += lanes) {
          auto sum = hn::Zero(d32);
          const uint8_t* column = first + c * kBlock + lane;
          for (int t = 0; t < filter.count[i]; ++t, column += 3 * kBlock) {
            const auto values = hn::PromoteTo(d32, hn::LoadU(d8, column));
            sum = hn::Add(sum, hn::Mul(values, hn::Set(d32, weights[t])));
          }
          StoreRounded(d32, sum, &resampled[(3 * i + c) * kBlock + lane]);
        }
      }
    }
    TransposeOut(resampled.data(), out_bytes, used, out + y * out_bytes);
  }
}

void Columns(const ResampleFilter& filter, const uint8_t* in, size_t row_bytes, uint8_t* out) {
  const hn::ScalableTag<int32_t> d32;
  const hn::Rebind<uint8_t, decltype(d32)> d8;
  const size_t lanes = hn::Lanes(d32);
  for (size_t i = 0; i < filter.first.size(); ++i) {
    const int32_t* weights = &filter.weights[i * static_cast<size_t>(filter.taps)];
    const uint8_t* first = in + static_cast<size_t>(filter.first[i]) * row_bytes;
    uint8_t* row = out + i * row_bytes;
    size_t x = 0;
    for (; x + lanes <= row_bytes; x += lanes) {
      auto sum = hn::Zero(d32);
      for (int t = 0; t < filter.count[i]; ++t) {
        const auto values = hn::PromoteTo(d32, hn::LoadU(d8, first + static_cast<size_t>(t) * row_bytes + x));
        sum = hn::Add(sum, hn::Mul(values, hn::Set(d32, weights[t])));
      }
      StoreRounded(d32, sum, row + x);
    }
    for (; x < row_bytes; ++x) {
      int32_t sum = 1 << (kWeightBits - 1);
      for (int t = 0; t < filter.count[i]; ++t) sum += weights[t] * first[static_cast<size_t>(t) * row_bytes + x];
      row[x] = static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
    }
  }
}

}  // namespace sightline::image::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace sightline::image {

HWY_EXPORT(Rows);
HWY_EXPORT(Columns);

void ResampleRows(const ResampleFilter& filter, const uint8_t* in, size_t stride, int width, int rows, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(Rows)(filter, in, stride, width, rows, out);
}

void ResampleColumns(const ResampleFilter& filter, const uint8_t* in, size_t row_bytes, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(Columns)(filter, in, row_bytes, out);
}

}  // namespace sightline::image

#endif  // HWY_ONCE
