// Random numbers that are the same on every machine: the distributions of the standard library are not.
//
// Threading: a Random belongs to one thread. Failure: none.
//
//   Random random = Random::For(seed, {instance, view});
//   const double angle = random.Between(-0.3, 0.3);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_RANDOM_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_RANDOM_H_

#include <cstdint>
#include <initializer_list>

namespace sightline::scene {

// A 64-bit mixing function: every bit of the result depends on every bit of `x` (the finaliser of SplitMix64, Steele,
// Lea and Flood 2014).
constexpr uint64_t Mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  // A stream of its own for each path of numbers, so that adding draws to one leaves the others as they were.
  static Random For(uint64_t seed, std::initializer_list<uint64_t> path) {
    for (uint64_t step : path) seed = Mix(seed ^ Mix(step));
    return Random(seed);
  }

  uint64_t Next() { return Mix(state_++); }
  // [0, 1)
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  double Between(double low, double high) { return low + (high - low) * Uniform(); }
  // 0 to count - 1
  int Below(int count) { return static_cast<int>(Uniform() * count); }
  bool Chance(double probability) { return Uniform() < probability; }
  // -1 or 1
  double Sign() { return Chance(0.5) ? 1.0 : -1.0; }

 private:
  uint64_t state_;
};

}  // namespace sightline::scene

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_RANDOM_H_
