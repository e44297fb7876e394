// How fast this machine multiplies and adds.
//
// Threading: starts its own threads. Failure: none.
#ifndef SIGHTLINE_TESTS_BENCH_FMA_PEAK_H_
#define SIGHTLINE_TESTS_BENCH_FMA_PEAK_H_

namespace sightline::bench {

// GFLOP/s of `threads` threads that do nothing but float32 multiply-adds on registers, for about `seconds`. They start
// together, so that all are counted while all run.
double FmaPeak(int threads, double seconds);

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_FMA_PEAK_H_
