// The number of files, sockets included, that the process may have open.
//
// Debian starts programs with 1,024, far below what a server with a thousand callers and a few hundred segment files
// needs. The hard limit is the operator's; up to it, the process takes what there is.
//
// Connections get seven eighths of it: see rpc/acceptor.h.
//
// Threading: any thread, before sockets are opened. Failure: the limit stays as it is.
#ifndef SIGHTLINE_SERVER_FILE_LIMIT_H_
#define SIGHTLINE_SERVER_FILE_LIMIT_H_

#include <sys/resource.h>

#include <cstdint>

namespace sightline::server {

// Below this a warning is due: a connection is a file each, and a large collection has about a hundred.
inline constexpr uint64_t kFewFiles = 4096;

// Returns the limit now in force.
inline uint64_t RaiseFileLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return static_cast<uint64_t>(setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before);
}

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_FILE_LIMIT_H_
