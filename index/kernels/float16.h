// IEEE 754 half precision (1 sign, 5 exponent, 10 fraction bits) to and from single precision.
//
// Threading: pure functions. Failure: none. Rounding is to nearest, ties to even; beyond 65,504 the result is infinite.
#ifndef SIGHTLINE_INDEX_KERNELS_FLOAT16_H_
#define SIGHTLINE_INDEX_KERNELS_FLOAT16_H_

#include <bit>
#include <cstdint>

namespace sightline::index::kernels {

inline uint16_t Float16FromFloat(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000;
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  uint32_t half;
  if (magnitude > 0x7F800000) {
    half = 0x7E00;
  } else if (magnitude >= 0x47800000) {
    half = 0x7C00;
  } else if (magnitude < 0x38800000) {
    // Adding 0.5 moves the unit of the last place to 2^-24, the smallest half: the addition does the rounding.
    half = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3F000000;
  } else {
    // Re-bias the exponent from 127 to 15 and round; a carry runs into the exponent as it should.
    half = (magnitude - 0x38000000 + 0xFFF + ((magnitude >> 13) & 1)) >> 13;
  }
  return static_cast<uint16_t>(sign | half);
}

inline float FloatFromFloat16(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t magnitude = static_cast<uint32_t>(half & 0x7FFF) << 13;
  // The product re-biases the exponent by 112 and makes subnormal halves normal; exponent 31 (Inf, NaN) lands at 143.
  uint32_t bits = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f);
  if (bits >= 0x47800000) bits |= 0x7F800000;
  return std::bit_cast<float>(bits | sign);
}

}  // namespace sightline::index::kernels

#endif  // SIGHTLINE_INDEX_KERNELS_FLOAT16_H_
