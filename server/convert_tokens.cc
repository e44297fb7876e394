// Patch tokens between the API's message and the types of the rooms behind it.
#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/kernels/float16.h"
#include "server/convert.h"
#include "server/services/field_checks.h"

namespace sightline::server {
namespace {

using index::TokenPrecision;
using index::kernels::Float16FromFloat;
using index::kernels::FloatFromFloat16;

static_assert(std::endian::native == std::endian::little, "the API's values are little-endian");

template <typename Stored>
std::vector<Stored> ValuesOf(const std::string& bytes) {
  std::vector<Stored> values(bytes.size() / sizeof(Stored));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(Stored));
  return values;
}

template <typename Stored>
void SetValues(absl::Span<const Stored> values, v1::PatchTokens* out) {
  out->set_values(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Stored));
}

absl::Status CheckWhole(const std::string& bytes, size_t value_bytes, absl::string_view precision) {
  if (bytes.size() % value_bytes == 0) return absl::OkStatus();
  return base::InvalidArgument("TOKENS_INVALID",
                               absl::StrCat("patch tokens have ", bytes.size(), " bytes of values; a value in ",
                                            precision, " takes ", value_bytes, ". Send whole values."),
                               {{"field", "tokens.values"}, {"actual", absl::StrCat(bytes.size())}});
}

}  // namespace

absl::StatusOr<index::PatchTokens> FromProto(const v1::PatchTokens& tokens) {
  index::PatchTokens out;
  out.height = tokens.height();
  out.width = tokens.width();
  out.dim = tokens.dim();
  out.scales.assign(tokens.scales().begin(), tokens.scales().end());
  out.importance.assign(tokens.importance().begin(), tokens.importance().end());
  out.centre.assign(tokens.centre().begin(), tokens.centre().end());
  const std::string& bytes = tokens.values();
  switch (tokens.precision()) {
    case v1::PatchTokens::PRECISION_UNSPECIFIED:
    case v1::PatchTokens::PRECISION_INT8: out.values = ValuesOf<int8_t>(bytes); return out;
    case v1::PatchTokens::PRECISION_FLOAT16:
      out.precision = TokenPrecision::kFloat16;
      SIGHTLINE_RETURN_IF_ERROR(CheckWhole(bytes, sizeof(uint16_t), "float16"));
      for (const uint16_t half : ValuesOf<uint16_t>(bytes)) out.floats.push_back(FloatFromFloat16(half));
      return out;
    case v1::PatchTokens::PRECISION_FLOAT32:
      out.precision = TokenPrecision::kFloat32;
      SIGHTLINE_RETURN_IF_ERROR(CheckWhole(bytes, sizeof(float), "float32"));
      out.floats = ValuesOf<float>(bytes);
      return out;
    default: return UnknownEnum("tokens.precision", tokens.precision());
  }
}

void ToProto(const index::PatchTokens& tokens, const std::string& token_space, v1::PatchTokens* out) {
  out->set_height(tokens.height);
  out->set_width(tokens.width);
  out->set_dim(tokens.dim);
  switch (tokens.precision) {
    case TokenPrecision::kInt8:
      out->set_precision(v1::PatchTokens::PRECISION_INT8);
      SetValues<int8_t>(tokens.values, out);
      break;
    case TokenPrecision::kFloat16: {
      out->set_precision(v1::PatchTokens::PRECISION_FLOAT16);
      std::vector<uint16_t> halves;
      halves.reserve(tokens.floats.size());
      for (const float value : tokens.floats) halves.push_back(Float16FromFloat(value));
      SetValues<uint16_t>(halves, out);
      break;
    }
    case TokenPrecision::kFloat32:
      out->set_precision(v1::PatchTokens::PRECISION_FLOAT32);
      SetValues<float>(tokens.floats, out);
      break;
  }
  out->mutable_scales()->Add(tokens.scales.begin(), tokens.scales.end());
  out->mutable_importance()->Add(tokens.importance.begin(), tokens.importance.end());
  out->mutable_centre()->Add(tokens.centre.begin(), tokens.centre.end());
  out->set_token_space(token_space);
}

index::PatchTokens FromModel(model::PatchTokens tokens) {
  index::PatchTokens out;
  out.height = tokens.height;
  out.width = tokens.width;
  out.dim = tokens.dim;
  out.values = std::move(tokens.values);
  out.scales = std::move(tokens.scales);
  out.importance = std::move(tokens.importance);
  out.centre = std::move(tokens.centre);
  switch (tokens.precision) {
    case model::TokenPrecision::kInt8: out.precision = TokenPrecision::kInt8; break;
    case model::TokenPrecision::kFloat16: out.precision = TokenPrecision::kFloat16; break;
    case model::TokenPrecision::kFloat32: out.precision = TokenPrecision::kFloat32; break;
  }
  out.floats = std::move(tokens.floats);
  return out;
}

}  // namespace sightline::server
