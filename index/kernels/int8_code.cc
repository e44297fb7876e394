#include "index/kernels/int8_code.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace sightline::index::kernels {

float RootRoundedUp(double squared) {
  const double root = std::sqrt(squared);
  const float rounded = static_cast<float>(root);
  return rounded < root ? std::nextafter(rounded, std::numeric_limits<float>::infinity()) : rounded;
}

void EncodeRowReference(const CodeLayout& layout, const float* values, uint8_t* row) {
  float largest = 0;
  bool finite = true;
  for (size_t i = 0; i < layout.dim; ++i) {
    finite = finite && std::isfinite(values[i]);
    largest = std::max(largest, std::abs(values[i]));
  }
  std::memset(row, 0, layout.stride);
  CodeTrailer trailer;
  double error = 0;
  trailer.scale = finite ? largest / 127 : 0;
  for (size_t i = 0; i < layout.dim; ++i) {
    const float code = trailer.scale > 0 ? std::nearbyint(values[i] / trailer.scale) : 0;
    row[i] = static_cast<uint8_t>(std::clamp(code, -127.0F, 127.0F) + 128);
    const double off = static_cast<double>(values[i]) - static_cast<double>(trailer.scale) * (row[i] - 128);
    error += off * off;
  }
  trailer.error = finite ? RootRoundedUp(error) : std::numeric_limits<float>::infinity();
  std::memcpy(row + layout.stride - sizeof(trailer), &trailer, sizeof(trailer));
}

void DecodeRow(const CodeLayout& layout, const uint8_t* row, float* values) {
  const float scale = layout.Trailer(row).scale;
  for (size_t i = 0; i < layout.dim; ++i) values[i] = scale * static_cast<float>(row[i] - 128);
}

Int8Query::Int8Query(const CodeLayout& layout, const float* values) : layout_(layout), values_(layout.stride) {
  std::vector<uint8_t> row(layout.stride);
  EncodeRow(layout, values, row.data());
  Assign(row.data());
  double norm = 0;
  for (size_t i = 0; i < layout.dim; ++i) norm += static_cast<double>(values[i]) * values[i];
  norm_ = static_cast<float>(std::sqrt(norm));
  error_ = layout.Trailer(row.data()).error;
}

Int8Query::Int8Query(const CodeLayout& layout, const uint8_t* row) : layout_(layout), values_(layout.stride) {
  Assign(row);
}

void Int8Query::Assign(const uint8_t* row) {
  int32_t sum = 0;
  for (size_t i = 0; i < layout_.dim; ++i) {
    values_[i] = static_cast<int8_t>(row[i] - 128);
    sum += values_[i];
  }
  scale_ = layout_.Trailer(row).scale;
  correction_ = 128 * sum;
  norm_ = 1;
  error_ = 0;
}

float Int8ScoreReference(const Int8Query& query, const uint8_t* row) {
  int32_t sum = 0;
  for (size_t i = 0; i < query.layout().stride; ++i) sum += query.values()[i] * row[i];
  return query.scale() * query.layout().Trailer(row).scale * static_cast<float>(sum - query.correction());
}

}  // namespace sightline::index::kernels
