// What a helper gives up before it sees the first image, for good: privileges, files, network, other processes, and
// all memory but what one image may take.
//
// Threading: one thread, the only one of its process. Failure: Status with the step that the system refuses.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const int64_t base, Confine(socket, max_pixels));
//   LimitJob(base + MemoryLimit(pixels), /*cpu_seconds=*/3);
#ifndef SIGHTLINE_MODEL_IMAGE_SANDBOX_CONFINE_H_
#define SIGHTLINE_MODEL_IMAGE_SANDBOX_CONFINE_H_

#include <cstdint>

#include "absl/status/statusor.h"

namespace sightline::image {

// Only `socket` can be used afterwards, to send and to receive. Returns the address space in use, which the limits of
// jobs come on top of.
absl::StatusOr<int64_t> Confine(int socket, int64_t max_pixels);

// For the next image: the address space, and processor time from now on.
void LimitJob(int64_t address_space, int cpu_seconds);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_SANDBOX_CONFINE_H_
