// OpenMpThreads: how many threads OpenMP regions entered by this thread may use, as long as the object lives.
//
// Threading: stays on the thread that made it. Failure: none.
//
//   const OpenMpThreads threads(2);
//   clustering.train(n, rows, index);
#ifndef SIGHTLINE_INDEX_ANN_OPENMP_THREADS_H_
#define SIGHTLINE_INDEX_ANN_OPENMP_THREADS_H_

#include <omp.h>

namespace sightline::index {

class OpenMpThreads {
 public:
  explicit OpenMpThreads(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
  ~OpenMpThreads() { omp_set_num_threads(before_); }
  OpenMpThreads(const OpenMpThreads&) = delete;
  OpenMpThreads& operator=(const OpenMpThreads&) = delete;

 private:
  const int before_;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_OPENMP_THREADS_H_
