// ParallelFor: does one job in several parts, some of them on the threads of a pool.
//
// The calling thread takes part, so the job ends even when the pool is busy, full, stopping or absent; a pool thread
// may call it too. Part 0 is always the calling thread's; whoever is free takes the next of the others.
//
// Threading: any thread. Ownership: `body` is used only until the call returns. Failure: none; `body` must not throw.
//
//   std::vector<double> sums(4);
//   base::ParallelFor(&pool, 4, [&](int part) { sums[part] = SumOf(Quarter(values, part)); });
#ifndef SIGHTLINE_BASE_PARALLEL_H_
#define SIGHTLINE_BASE_PARALLEL_H_

#include "absl/functional/function_ref.h"

namespace sightline::base {

class ThreadPool;

// Calls body(0) to body(parts - 1), each once, and returns when all have ended. What they wrote is then seen by the
// caller.
void ParallelFor(ThreadPool* pool, int parts, absl::FunctionRef<void(int part)> body);

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_PARALLEL_H_
