#include "tests/bench/fma_peak.h"

#include <barrier>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "index/kernels/aligned.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/bench/fma_peak.cc"
#include <hwy/foreach_target.h>
// Highway's own order: foreach_target first.
#include <hwy/highway.h>

#if HWY_ARCH_X86
#include <immintrin.h>
#endif

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

// Eight sums, so that nothing waits for an addition. Returns something that depends on all values.
float ReadAll(const float* values, size_t count) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  auto a = hn::Zero(d), b = a, c = a, e = a, f = a, g = a, h = a, i = a;
  for (size_t at = 0; at + 8 * lanes <= count; at += 8 * lanes) {
    const float* from = values + at;
    a = hn::Add(a, hn::Load(d, from)), b = hn::Add(b, hn::Load(d, from + lanes));
    c = hn::Add(c, hn::Load(d, from + 2 * lanes)), e = hn::Add(e, hn::Load(d, from + 3 * lanes));
    f = hn::Add(f, hn::Load(d, from + 4 * lanes)), g = hn::Add(g, hn::Load(d, from + 5 * lanes));
    h = hn::Add(h, hn::Load(d, from + 6 * lanes)), i = hn::Add(i, hn::Load(d, from + 7 * lanes));
  }
  const auto first = hn::Add(hn::Add(a, b), hn::Add(c, e)), second = hn::Add(hn::Add(f, g), hn::Add(h, i));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(first, second)));
}

}  // namespace sightline::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace sightline::bench {

HWY_EXPORT(Multiply);
HWY_EXPORT(ReadAll);

namespace {

#if HWY_ARCH_X86
// Twelve chains, as above.
__attribute__((target("avx512f,avx512vnni"))) double MultiplyBytes(size_t rounds, int32_t* values) {
  const __m512i x = _mm512_set1_epi32(values[0]);
  __m512i a = x, b = x, c = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x, m = x;
  for (size_t round = 0; round < rounds; ++round) {
    asm volatile(
        "vpdpbusd %12, %12, %0\n vpdpbusd %12, %12, %1\n vpdpbusd %12, %12, %2\n vpdpbusd %12, %12, %3\n"
        "vpdpbusd %12, %12, %4\n vpdpbusd %12, %12, %5\n vpdpbusd %12, %12, %6\n vpdpbusd %12, %12, %7\n"
        "vpdpbusd %12, %12, %8\n vpdpbusd %12, %12, %9\n vpdpbusd %12, %12, %10\n vpdpbusd %12, %12, %11"
        : "+v"(a), "+v"(b), "+v"(c), "+v"(e), "+v"(f), "+v"(g), "+v"(h), "+v"(i), "+v"(j), "+v"(k), "+v"(l), "+v"(m)
        : "v"(x));
  }
  return 12.0 * 128 * static_cast<double>(rounds);
}
#endif

}  // namespace

double TotalRate(int threads, double seconds, const std::function<std::function<double()>()>& make) {
  using Clock = std::chrono::steady_clock;
  std::barrier start(threads);
  std::vector<double> rates(static_cast<size_t>(threads));
  std::vector<std::thread> pool;
  for (double& rate : rates) {
    pool.emplace_back([&start, &rate, &make, seconds] {
      const std::function<double()> work = make();
      work();
      start.arrive_and_wait();
      const auto begin = Clock::now();
      double done = 0, elapsed = 0;
      do {
        done += work();
        elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
      } while (elapsed < seconds);
      rate = done / elapsed;
    });
  }
  double total = 0;
  for (size_t i = 0; i < pool.size(); ++i) {
    pool[i].join();
    total += rates[i];
  }
  return total;
}

double FmaPeak(int threads, double seconds) {
  const auto work = [] {
    float values[12] = {0.999f, 0.001f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    const double done = HWY_DYNAMIC_DISPATCH(Multiply)(1'000'000, values);
    volatile float kept = values[0];
    static_cast<void>(kept);
    return done;
  };
  return TotalRate(threads, seconds, [&work] { return work; }) / 1e9;
}

double Int8Peak(int threads, double seconds) {
#if HWY_ARCH_X86
  if (!__builtin_cpu_supports("avx512vnni")) return 0;
  const auto work = [] {
    int32_t one = 0x01010101;
    return MultiplyBytes(100'000, &one);
  };
  return TotalRate(threads, seconds, [&work] { return work; }) / 1e9;
#else
  static_cast<void>(threads), static_cast<void>(seconds);
  return 0;
#endif
}

double ReadBandwidth(int threads, size_t bytes, double seconds) {
  const auto make = [bytes]() -> std::function<double()> {
    auto values = std::make_shared<index::kernels::AlignedVector<float>>(bytes / sizeof(float), 1.0f);
    return [values, bytes] {
      volatile float kept = 0;
      for (int turn = 0; turn < 20; ++turn) kept = HWY_DYNAMIC_DISPATCH(ReadAll)(values->data(), values->size());
      static_cast<void>(kept);
      return 20.0 * static_cast<double>(bytes);
    };
  };
  return TotalRate(threads, seconds, make) / 1e9;
}

}  // namespace sightline::bench

#endif  // HWY_ONCE
