// How fast this machine multiplies and adds, and reads its caches.
//
// Threading: starts its own threads. Failure: none.
#ifndef SIGHTLINE_TESTS_BENCH_FMA_PEAK_H_
#define SIGHTLINE_TESTS_BENCH_FMA_PEAK_H_

#include <cstddef>
#include <functional>

namespace sightline::bench {

// GFLOP/s of `threads` threads that do nothing but float32 multiply-adds on registers, for about `seconds`. They start
// together, so that all are counted while all run.
double FmaPeak(int threads, double seconds);

// GOP/s, a multiplication or an addition counting as one, of products of bytes summed in int32 (AVX-512 VNNI); 0 where
// the machine has no such instruction.
double Int8Peak(int threads, double seconds);

// GB/s at which `threads` threads together read `bytes` each, over and over.
double ReadBandwidth(int threads, size_t bytes, double seconds);

// What `threads` threads together do in a second. make() is called on each thread and gives the work; a call of the
// work returns how much it did.
double TotalRate(int threads, double seconds, const std::function<std::function<double()>()>& make);

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_FMA_PEAK_H_
