// The spawner: a small process without threads that forks helpers for a server and ends them, so that the server, which
// has threads and much memory, never forks. It lives as long as its socket, and takes its helpers with it.
//
// Threading: the only thread of its process. Ownership: takes the socket. Failure: returns an exit code.
#ifndef SIGHTLINE_MODEL_IMAGE_SANDBOX_SPAWNER_H_
#define SIGHTLINE_MODEL_IMAGE_SANDBOX_SPAWNER_H_

namespace sightline::image {

// Returns in the spawner when the server is gone, and in each helper when that has ended.
int RunSpawner(int control);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_SANDBOX_SPAWNER_H_
