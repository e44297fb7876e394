#include "tests/bench/fma_peak.h"

#include <barrier>
#include <chrono>
#include <cstddef>
#include <thread>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/bench/fma_peak.cc"
#include <hwy/foreach_target.h>
// Highway's own order: foreach_target first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace sightline::bench::HWY_NAMESPACE {
namespace hn = ::hwy::HWY_NAMESPACE;

// Ten chains hide the latency of a multiply-add and fit into sixteen registers; they begin at different values, or the
// compiler would make them one. `values` holds a factor, a term and the ten beginnings; the first becomes their sum.
// Returns the operations done, two for each multiply-add of one value.
double Multiply(size_t rounds, float* values) {
  const hn::ScalableTag<float> d;
  const auto factor = hn::Set(d, values[0]), term = hn::Set(d, values[1]);
  auto a = hn::Set(d, values[2]), b = hn::Set(d, values[3]), c = hn::Set(d, values[4]), e = hn::Set(d, values[5]);
  auto f = hn::Set(d, values[6]), g = hn::Set(d, values[7]), h = hn::Set(d, values[8]), i = hn::Set(d, values[9]);
  auto j = hn::Set(d, values[10]), k = hn::Set(d, values[11]);
  for (size_t round = 0; round < rounds; ++round) {
    a = hn::MulAdd(a, factor, term), b = hn::MulAdd(b, factor, term), c = hn::MulAdd(c, factor, term);
    e = hn::MulAdd(e, factor, term), f = hn::MulAdd(f, factor, term), g = hn::MulAdd(g, factor, term);
    h = hn::MulAdd(h, factor, term), i = hn::MulAdd(i, factor, term), j = hn::MulAdd(j, factor, term);
    k = hn::MulAdd(k, factor, term);
  }
  const auto first = hn::Add(hn::Add(hn::Add(a, b), hn::Add(c, e)), hn::Add(f, g));
  values[0] = hn::GetLane(hn::SumOfLanes(d, hn::Add(first, hn::Add(hn::Add(h, i), hn::Add(j, k)))));
  return 20.0 * static_cast<double>(hn::Lanes(d)) * static_cast<double>(rounds);
}

}  // namespace sightline::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace sightline::bench {

HWY_EXPORT(Multiply);

double FmaPeak(int threads, double seconds) {
  constexpr size_t kRounds = 1'000'000;
  using Clock = std::chrono::steady_clock;
  std::barrier start(threads);
  std::vector<double> rates(static_cast<size_t>(threads));
  std::vector<std::thread> pool;
  for (double& rate : rates) {
    pool.emplace_back([&start, &rate, seconds] {
      start.arrive_and_wait();
      const auto begin = Clock::now();
      double done = 0, elapsed = 0;
      do {
        float values[12] = {0.999f, 0.001f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
        done += HWY_DYNAMIC_DISPATCH(Multiply)(kRounds, values);
        volatile float kept = values[0];
        static_cast<void>(kept);
        elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
      } while (elapsed < seconds);
      rate = done / elapsed / 1e9;
    });
  }
  double total = 0;
  for (size_t i = 0; i < pool.size(); ++i) {
    pool[i].join();
    total += rates[i];
  }
  return total;
}

}  // namespace sightline::bench

#endif  // HWY_ONCE
