#include "model/weights/seeded_random.h"

namespace sightline::weights {
namespace {

constexpr uint64_t kFnvOffset = 0xcbf29ce484222325;
constexpr uint64_t kFnvPrime = 0x100000001b3;

}  // namespace

SeededRandom::SeededRandom(uint64_t seed, absl::string_view name) : state_(kFnvOffset ^ seed) {
  // FNV-1a over the name, then one step so that close seeds part at once.
  for (const char c : name) state_ = (state_ ^ static_cast<unsigned char>(c)) * kFnvPrime;
  state_ += Next();
}

uint64_t SeededRandom::Next() {
  // SplitMix64 (Steele, Lea, Flood 2014).
  state_ += 0x9e3779b97f4a7c15;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

float SeededRandom::Normal() {
  // Four 16-bit uniforms in [0, 1): mean 2, variance 1/3. Sums of 16-bit numbers are exact.
  const uint64_t bits = Next();
  const auto sum =
      static_cast<int32_t>((bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) + (bits >> 48));
  constexpr int32_t kMean = 4 * 0xffff / 2;
  constexpr float kScale = 1.7320508f / 65536.0f;
  return static_cast<float>(sum - kMean) * kScale;
}

float SeededRandom::Uniform() { return static_cast<float>(Next() >> 40) * 0x1p-24f; }

}  // namespace sightline::weights
