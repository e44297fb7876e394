#include "index/rerank/card_tokens.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "absl/types/span.h"
#include "index/kernels/float16.h"
#include "index/rerank/patch_set.h"

namespace sightline::index::rerank {
namespace {

// Half precision only where nothing is lost by it: what was stored in it.
QuadKind KindOf(const PatchTokens& tokens) {
  if (tokens.precision == TokenPrecision::kInt8) return QuadKind::kInt8;
  const bool halves = tokens.precision == TokenPrecision::kFloat16 &&
                      std::all_of(tokens.floats.begin(), tokens.floats.end(), [](float value) {
                        return kernels::FloatFromFloat16(kernels::Float16FromFloat(value)) == value;
                      });
  return halves ? QuadKind::kFloat16 : QuadKind::kFloat32;
}

size_t QuadBytes(QuadKind kind) {
  switch (kind) {
    case QuadKind::kInt8: return 4 * sizeof(int8_t);
    case QuadKind::kFloat16: return 4 * sizeof(uint16_t);
    case QuadKind::kFloat32: break;
  }
  return 4 * sizeof(float);
}

// 1 / |values|; 0 for zeros.
double InverseLength(absl::Span<const float> values) {
  double squares = 0;
  for (const float value : values) squares += static_cast<double>(value) * value;
  return squares > 0 ? 1 / std::sqrt(squares) : 0;
}

void EncodeUnit(absl::Span<const float> values, float* to) {
  const double inverse = InverseLength(values);
  for (size_t i = 0; i < values.size(); ++i) to[i] = static_cast<float>(values[i] * inverse);
}

}  // namespace

CardTokensLayout::CardTokensLayout(const PatchTokens& tokens)
    : kind_(KindOf(tokens)),
      cells_(static_cast<size_t>(tokens.cells())),
      dim_(static_cast<size_t>(tokens.dim)),
      quads_((dim_ + 3) / 4),
      has_centre_(CheckPatches({&tokens}, {.marginals = Marginals::kCrossCorrelation}).ok()),
      has_importance_(CheckPatches({&tokens}, {.marginals = Marginals::kImportance}).ok()) {
  quads_at_ = has_centre_ ? 4 * quads_ * sizeof(float) : 0;
  norms_at_ = quads_at_ + quads_ * cells_ * QuadBytes(kind_);
  importance_at_ = norms_at_ + cells_ * sizeof(float);
  bytes_ = importance_at_ + (has_importance_ ? cells_ * sizeof(float) : 0);
}

void CardTokensLayout::Encode(const PatchTokens& tokens, char* to) const {
  // The end of a last quad is never anything but zeros.
  std::memset(to, 0, norms_at_);
  if (has_centre_) EncodeUnit(tokens.centre, reinterpret_cast<float*>(to));
  float* const norms = reinterpret_cast<float*>(to + norms_at_);
  if (kind_ == QuadKind::kInt8) {
    EncodeCodes(tokens, to + quads_at_, norms);
  } else {
    EncodeFloats(tokens, to + quads_at_, norms);
  }
  if (has_importance_) std::memcpy(to + importance_at_, tokens.importance.data(), cells_ * sizeof(float));
}

// Of a scale only the sign counts.
void CardTokensLayout::EncodeCodes(const PatchTokens& tokens, char* quads, float* norms) const {
  for (size_t cell = 0; cell < cells_; ++cell) {
    const int8_t* const token = tokens.values.data() + cell * dim_;
    int64_t squares = 0;
    for (size_t i = 0; i < dim_; ++i) squares += int32_t{token[i]} * token[i];
    const float scale = tokens.scales[cell];
    norms[cell] = squares == 0 || scale == 0
                      ? 0
                      : static_cast<float>((scale < 0 ? -1 : 1) / std::sqrt(static_cast<double>(squares)));
    for (size_t i = 0; i < dim_; i += 4) {
      std::memcpy(quads + (i / 4 * cells_ + cell) * 4, token + i, std::min<size_t>(4, dim_ - i));
    }
  }
}

void CardTokensLayout::EncodeFloats(const PatchTokens& tokens, char* quads, float* norms) const {
  for (size_t cell = 0; cell < cells_; ++cell) {
    const absl::Span<const float> token = absl::MakeConstSpan(tokens.floats).subspan(cell * dim_, dim_);
    const double inverse = InverseLength(token);
    if (kind_ == QuadKind::kFloat16) {
      auto* const halves = reinterpret_cast<uint16_t*>(quads);
      for (size_t i = 0; i < dim_; ++i) {
        halves[(i / 4 * cells_ + cell) * 4 + i % 4] = kernels::Float16FromFloat(token[i]);
      }
      norms[cell] = static_cast<float>(inverse);
    } else {
      auto* const floats = reinterpret_cast<float*>(quads);
      for (size_t i = 0; i < dim_; ++i) {
        floats[(i / 4 * cells_ + cell) * 4 + i % 4] = static_cast<float>(token[i] * inverse);
      }
      norms[cell] = inverse > 0 ? 1 : 0;
    }
  }
}

CardTokens CardTokensLayout::At(const char* card) const {
  return {.quads = card + quads_at_,
          .norms = reinterpret_cast<const float*>(card + norms_at_),
          .centre = has_centre_ ? reinterpret_cast<const float*>(card) : nullptr,
          .importance = has_importance_ ? reinterpret_cast<const float*>(card + importance_at_) : nullptr,
          .kind = kind_,
          .cells = cells()};
}

}  // namespace sightline::index::rerank
