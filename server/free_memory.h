// ReturnFreeMemory: gives memory that the allocator keeps for later back to the system.
//
// A storm of calls, a large import or an unloaded model leave hundreds of megabytes free inside the allocator's arenas,
// which it returns only from their ends. Nobody else on the machine could use them until the server is restarted.
//
// Threading: any thread; others that allocate meanwhile wait for their arena, some milliseconds. Failure: none.
#ifndef SIGHTLINE_SERVER_FREE_MEMORY_H_
#define SIGHTLINE_SERVER_FREE_MEMORY_H_

#include <cstdint>

namespace sightline::server {

// Does nothing while less than `least` bytes are free inside the arenas: what is used again soon had better stay.
// Returns how many were.
int64_t ReturnFreeMemory(int64_t least);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_FREE_MEMORY_H_
