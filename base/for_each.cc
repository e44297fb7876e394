#include "base/for_each.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace sightline::base {

size_t Processors() { return std::max(1u, std::thread::hardware_concurrency()); }

absl::Status ForEach(size_t count, size_t threads,
                     const std::function<absl::Status(size_t item, size_t thread)>& work) {
  Mutex mutex;
  absl::Status failure;
  std::atomic<size_t> next = 0;
  std::vector<std::thread> workers;
  for (size_t thread = 0; thread < std::min(threads, count); ++thread) {
    workers.emplace_back([&, thread] {
      for (size_t i = next++; i < count; i = next++) {
        const absl::Status done = work(i, thread);
        if (done.ok()) continue;
        MutexLock lock(mutex);
        failure.Update(done);
        next = count;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  return failure;
}

}  // namespace sightline::base
