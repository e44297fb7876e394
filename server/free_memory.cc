#include "server/free_memory.h"

#include <malloc.h>

namespace sightline::server {

int64_t ReturnFreeMemory(int64_t least) {
  const auto free_bytes = static_cast<int64_t>(mallinfo2().fordblks);
  if (free_bytes >= least) malloc_trim(0);
  return free_bytes;
}

}  // namespace sightline::server
