// The helper's side: decodes one image after another from shared memory into shared memory, confined.
//
// Threading: the only thread of its process. Ownership: takes the descriptors. Failure: returns an exit code; what is
// wrong with an image is an answer.
#ifndef SIGHTLINE_MODEL_IMAGE_SANDBOX_WORKER_H_
#define SIGHTLINE_MODEL_IMAGE_SANDBOX_WORKER_H_

#include "model/image/sandbox/wire.h"

namespace sightline::image {

// Returns when the other end of `socket` is closed.
int RunWorker(int socket, int memory, const SharedLayout& layout);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_SANDBOX_WORKER_H_
