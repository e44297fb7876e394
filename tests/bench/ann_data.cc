#include "tests/bench/ann_data.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace sightline::bench {
namespace {

// Deviation of the noise against that of the values without it.
constexpr float kNoise = 0.3F;

// How far members lie from their cluster's centre, whose values have a deviation of 1: the nearer, the more clusters
// there are, because more clusters lie closer together.
float SpreadOf(uint64_t rows) {
  return std::max(1.1F - 0.25F * std::log10(static_cast<float>(std::max<uint64_t>(rows, 1)) / 1e5F), 0.5F);
}

// A stream of numbers for each use of the data.
constexpr uint64_t kBasisStream = 1ULL << 56;
constexpr uint64_t kCentreStream = 2ULL << 56;
constexpr uint64_t kRowStream = 3ULL << 56;
constexpr uint64_t kQueryStream = 4ULL << 56;
constexpr uint64_t kClusterStream = 5ULL << 56;

uint64_t HashOf(uint64_t value) {
  value += 0x9E3779B97F4A7C15ULL;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31);
}

// SplitMix64 from a seed.
class Stream {
 public:
  explicit Stream(uint64_t seed) : state_(HashOf(seed)) {}
  uint64_t Next() { return HashOf(state_ += 0x9E3779B97F4A7C15ULL); }
  double Uniform() { return (static_cast<double>(Next() >> 11) + 0.5) * 0x1p-53; }
  float Normal() {
    return static_cast<float>(std::sqrt(-2 * std::log(Uniform())) * std::cos(2 * std::numbers::pi * Uniform()));
  }

 private:
  uint64_t state_;
};

}  // namespace

AnnData::AnnData(uint64_t rows)
    : rows_(rows),
      clusters_(std::max<uint64_t>(rows / kClusterRows, 1)),
      spread_(SpreadOf(rows)),
      basis_(kLatent * kDim) {
  Stream stream(kBasisStream);
  for (float& value : basis_) value = stream.Normal();
}

uint64_t AnnData::ClusterOf(uint64_t row) const { return HashOf(kClusterStream + row) % clusters_; }

void AnnData::Row(uint64_t row, float* out) const { Member(ClusterOf(row), kRowStream + row, out); }

void AnnData::Query(uint64_t query, float* out) const {
  Member(HashOf(kQueryStream + query) % clusters_, kQueryStream + query, out);
}

void AnnData::Member(uint64_t cluster, uint64_t seed, float* out) const {
  Stream centre(kCentreStream + cluster);
  Stream own(seed);
  std::fill_n(out, kDim, 0.0F);
  for (size_t l = 0; l < kLatent; ++l) {
    const float weight = centre.Normal() + spread_ * own.Normal();
    const float* direction = basis_.data() + l * kDim;
    for (size_t i = 0; i < kDim; ++i) out[i] += weight * direction[i];
  }
  // Four uniform numbers of 16 bits a hash; their deviation is 65536 / sqrt(12).
  const float scale =
      kNoise * std::sqrt(static_cast<float>(kLatent) * (1 + spread_ * spread_)) * std::sqrt(12.0F) / 65536.0F;
  for (size_t i = 0; i < kDim; i += 4) {
    const uint64_t bits = own.Next();
    for (size_t j = 0; j < 4; ++j) {
      out[i + j] += scale * (static_cast<float>(bits >> (16 * j) & 0xFFFF) - 32767.5F);
    }
  }
  float squares = 0;
  for (size_t i = 0; i < kDim; ++i) squares += out[i] * out[i];
  const float factor = 1 / std::sqrt(squares);
  for (size_t i = 0; i < kDim; ++i) out[i] *= factor;
}

}  // namespace sightline::bench
