#include "model/weights/dtype.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace sightline::weights {
namespace {

static_assert(std::endian::native == std::endian::little, "weights are read as little-endian values");

template <typename Stored, typename Convert>
void Each(absl::string_view bytes, absl::Span<float> out, Convert convert) {
  for (size_t i = 0; i < out.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    out[i] = convert(stored);
  }
}

template <typename Stored>
void Cast(absl::string_view bytes, absl::Span<float> out) {
  Each<Stored>(bytes, out, [](Stored stored) { return static_cast<float>(stored); });
}

// IEEE binary16: 1 sign, 5 exponent, 10 fraction bits.
float HalfToFloat(uint16_t half) {
  const int exponent = (half >> 10) & 0x1f;
  const int fraction = half & 0x3ff;
  float magnitude = 0;
  if (exponent == 0x1f) {
    magnitude = fraction == 0 ? INFINITY : NAN;
  } else if (exponent == 0) {
    magnitude = std::ldexp(static_cast<float>(fraction), -24);
  } else {
    magnitude = std::ldexp(static_cast<float>(fraction | 0x400), exponent - 25);
  }
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

// The upper half of a float32.
float BFloat16ToFloat(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

}  // namespace

absl::string_view DTypeName(DType dtype) {
  switch (dtype) {
    case DType::kF64: return "F64";
    case DType::kF32: return "F32";
    case DType::kF16: return "F16";
    case DType::kBF16: return "BF16";
    case DType::kI64: return "I64";
    case DType::kI32: return "I32";
    case DType::kI16: return "I16";
    case DType::kI8: return "I8";
    case DType::kU8: return "U8";
    case DType::kBool: return "BOOL";
  }
  return "";
}

int64_t DTypeBytes(DType dtype) {
  switch (dtype) {
    case DType::kF64: return 8;
    case DType::kF32: return 4;
    case DType::kF16: return 2;
    case DType::kBF16: return 2;
    case DType::kI64: return 8;
    case DType::kI32: return 4;
    case DType::kI16: return 2;
    case DType::kI8: return 1;
    case DType::kU8: return 1;
    case DType::kBool: return 1;
  }
  return 0;
}

void ToFloats(DType dtype, absl::string_view bytes, absl::Span<float> out) {
  if (out.empty()) return;
  switch (dtype) {
    case DType::kF64: return Cast<double>(bytes, out);
    case DType::kF32: std::memcpy(out.data(), bytes.data(), out.size() * sizeof(float)); return;
    case DType::kF16: return Each<uint16_t>(bytes, out, HalfToFloat);
    case DType::kBF16: return Each<uint16_t>(bytes, out, BFloat16ToFloat);
    case DType::kI64: return Cast<int64_t>(bytes, out);
    case DType::kI32: return Cast<int32_t>(bytes, out);
    case DType::kI16: return Cast<int16_t>(bytes, out);
    case DType::kI8: return Cast<int8_t>(bytes, out);
    case DType::kU8: return Cast<uint8_t>(bytes, out);
    case DType::kBool: return Each<uint8_t>(bytes, out, [](uint8_t stored) { return stored != 0 ? 1.0f : 0.0f; });
  }
}

}  // namespace sightline::weights
