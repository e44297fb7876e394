// What this process takes of the machine, and what the disk under its data has left.
//
// Threading: pure functions over /proc. Failure: what cannot be read is 0.
#ifndef SIGHTLINE_SERVER_OBSERVE_PROCESS_H_
#define SIGHTLINE_SERVER_OBSERVE_PROCESS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "server/metrics.h"

namespace sightline::server {

struct ProcessUse {
  int64_t resident_bytes = 0;
  int64_t virtual_bytes = 0;
  int64_t open_files = 0;
  int64_t max_files = 0;
  int64_t threads = 0;
  double cpu_seconds = 0;
  double start_seconds = 0;  // since 1970
};

ProcessUse ReadProcessUse();

struct DiskSpace {
  int64_t bytes = 0;
  int64_t free_bytes = 0;  // for this process, which may be less than what is free for root
};

DiskSpace ReadDiskSpace(const std::string& folder);

// Both as samples of /metrics.
void AddProcessSamples(const std::string& data_folder, std::vector<Metrics::Sample>* samples);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_OBSERVE_PROCESS_H_
