// Splits work over the OpenMP threads of the calling thread, the ones that LibTorch and oneDNN use as well: a pool of
// its own would compete with them for the cores.
//
// Threading: may be called inside a parallel region; it then does all the work itself. Failure: `body` must not throw.
#ifndef SIGHTLINE_MODEL_ENGINE_PARALLEL_H_
#define SIGHTLINE_MODEL_ENGINE_PARALLEL_H_

#include <omp.h>

#include <cstdint>

namespace sightline::model::engine {

// How many values that tell threads apart ParallelTasks passes.
inline int MaxThreads() { return omp_in_parallel() ? 1 : omp_get_max_threads(); }

// body(task, thread) for every task in [0, tasks), on whichever thread is free.
template <class Body>
void ParallelTasks(int64_t tasks, const Body& body) {
  if (tasks <= 1 || MaxThreads() == 1) {
    for (int64_t task = 0; task < tasks; ++task) body(task, 0);
    return;
  }
#pragma omp parallel for schedule(dynamic)
  for (int64_t task = 0; task < tasks; ++task) body(task, omp_get_thread_num());
}

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_PARALLEL_H_
