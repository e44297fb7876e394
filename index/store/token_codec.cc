#include "index/store/token_codec.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "base/status.h"
#include "index/kernels/float16.h"
#include "index/store/codec.h"

namespace sightline::index {
namespace {

// Format 1 is int8 with everything else in float32.
constexpr uint8_t kFirstTokensFormat = 1;
constexpr uint8_t kTokensFormat = 2;

// Precisions are stored by these numbers, which therefore never change.
static_assert(static_cast<int>(TokenPrecision::kInt8) == 0 && static_cast<int>(TokenPrecision::kFloat16) == 1 &&
              static_cast<int>(TokenPrecision::kFloat32) == 2);

// How the parts beside the values are written.
constexpr uint8_t kUnitScales = 1;      // none: they follow from the codes
constexpr uint8_t kHalfImportance = 2;  // in half precision
constexpr uint8_t kHalfCentre = 4;

// 1 / ||token t||, for tokens of codes; 0 for a zero token. Square root and division are exact to the last bit on every
// machine.
std::vector<float> UnitScales(absl::Span<const int8_t> values, size_t cells, size_t dim) {
  std::vector<float> scales(cells);
  for (size_t t = 0; t < cells; ++t) {
    const int8_t* const codes = values.data() + t * dim;
    int32_t squares = 0;
    for (size_t i = 0; i < dim; ++i) squares += codes[i] * codes[i];
    scales[t] = squares == 0 ? 0 : static_cast<float>(1 / std::sqrt(static_cast<double>(squares)));
  }
  return scales;
}

bool FitsHalves(absl::Span<const float> values) {
  return std::all_of(values.begin(), values.end(),
                     [](float value) { return kernels::FloatFromFloat16(kernels::Float16FromFloat(value)) == value; });
}

void EncodePart(absl::Span<const float> values, bool halves, Encoder* out) {
  if (halves) {
    out->Halves(values);
  } else {
    out->Floats(values);
  }
}

std::vector<float> DecodePart(size_t count, bool halves, Decoder* in) {
  return halves ? in->Halves(count) : in->Floats(count);
}

void DecodeFirstFormat(Decoder* in, PatchTokens* tokens) {
  const size_t height = in->U32();
  const size_t width = in->U32();
  const size_t dim = in->U32();
  // Keeps the products below from wrapping; the bytes there are bound them further.
  constexpr size_t kMost = 1 << 20;
  if (height > kMost || width > kMost || dim > kMost) return in->Fail();
  tokens->height = static_cast<int>(height);
  tokens->width = static_cast<int>(width);
  tokens->dim = static_cast<int>(dim);
  tokens->values = in->Bytes(height * width * dim);
  tokens->scales = in->Floats(height * width);
  tokens->importance = in->Floats(height * width);
  tokens->centre = in->Floats(dim);
}

void DecodeSecondFormat(Decoder* in, PatchTokens* tokens) {
  const uint8_t precision = in->U8();
  const uint8_t parts = in->U8();
  const size_t height = in->U16();
  const size_t width = in->U16();
  const size_t dim = in->U16();
  const bool codes = precision == static_cast<uint8_t>(TokenPrecision::kInt8);
  const bool unit = (parts & kUnitScales) != 0;
  if (precision > static_cast<uint8_t>(TokenPrecision::kFloat32) || (unit && !codes) ||
      parts > (kUnitScales | kHalfImportance | kHalfCentre)) {
    return in->Fail();
  }
  const size_t cells = height * width;
  tokens->precision = static_cast<TokenPrecision>(precision);
  tokens->height = static_cast<int>(height);
  tokens->width = static_cast<int>(width);
  tokens->dim = static_cast<int>(dim);
  switch (tokens->precision) {
    case TokenPrecision::kInt8: tokens->values = in->Bytes(cells * dim); break;
    case TokenPrecision::kFloat16: tokens->floats = in->Halves(cells * dim); break;
    case TokenPrecision::kFloat32: tokens->floats = in->Floats(cells * dim); break;
  }
  if (codes && !unit) tokens->scales = in->Floats(cells);
  tokens->importance = DecodePart(cells, (parts & kHalfImportance) != 0, in);
  tokens->centre = DecodePart(dim, (parts & kHalfCentre) != 0, in);
  // Only a grid whose bytes were there may take memory.
  const bool whole = tokens->values.size() == cells * dim && tokens->importance.size() == cells;
  if (unit && whole) tokens->scales = UnitScales(tokens->values, cells, dim);
}

}  // namespace

std::string EncodeTokens(const PatchTokens& tokens) {
  const bool codes = tokens.precision == TokenPrecision::kInt8;
  const bool unit =
      codes && tokens.scales == UnitScales(tokens.values, tokens.scales.size(), static_cast<size_t>(tokens.dim));
  const bool half_importance = FitsHalves(tokens.importance);
  const bool half_centre = FitsHalves(tokens.centre);
  Encoder out(kTokensFormat);
  out.U8(static_cast<uint8_t>(tokens.precision));
  out.U8(static_cast<uint8_t>((unit ? kUnitScales : 0) | (half_importance ? kHalfImportance : 0) |
                              (half_centre ? kHalfCentre : 0)));
  out.U16(static_cast<uint16_t>(tokens.height));
  out.U16(static_cast<uint16_t>(tokens.width));
  out.U16(static_cast<uint16_t>(tokens.dim));
  switch (tokens.precision) {
    case TokenPrecision::kInt8:
      out.Raw({reinterpret_cast<const char*>(tokens.values.data()), tokens.values.size()});
      break;
    case TokenPrecision::kFloat16: out.Halves(tokens.floats); break;
    case TokenPrecision::kFloat32: out.Floats(tokens.floats); break;
  }
  if (codes && !unit) out.Floats(tokens.scales);
  EncodePart(tokens.importance, half_importance, &out);
  EncodePart(tokens.centre, half_centre, &out);
  return std::move(out).Unsealed();
}

absl::StatusOr<PatchTokens> DecodeTokens(absl::string_view key, absl::string_view value) {
  SIGHTLINE_ASSIGN_OR_RETURN(Decoder in,
                             Decoder::OpenAny("patch tokens", key, value, kFirstTokensFormat, kTokensFormat));
  PatchTokens tokens;
  if (in.format() == kFirstTokensFormat) {
    DecodeFirstFormat(&in, &tokens);
  } else {
    DecodeSecondFormat(&in, &tokens);
  }
  SIGHTLINE_RETURN_IF_ERROR(in.Finish());
  return tokens;
}

}  // namespace sightline::index
