// What the server, the spawner and the helpers say to each other: fixed structs and short texts, each one message of a
// SOCK_SEQPACKET pair. All three are one build on one machine, so structs travel as they are; what comes from a helper
// is nevertheless checked like any foreign bytes.
//
// Threading: pure functions. Ownership: file descriptors in a message are the receiver's. Failure: see each.
#ifndef SIGHTLINE_MODEL_IMAGE_SANDBOX_WIRE_H_
#define SIGHTLINE_MODEL_IMAGE_SANDBOX_WIRE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/image/decode.h"

namespace sightline::image {

// The spawner finds its end of the pair here.
constexpr int kControlFd = 3;

// Shared memory of one helper: encoded bytes first, decoded pixels behind them.
struct SharedLayout {
  uint64_t input_bytes = 0;
  uint64_t output_bytes = 0;
  int64_t max_pixels = 0;
};

// To the spawner. kStart brings the shared memory and the helper's socket along.
struct SpawnerCommand {
  enum class Kind : int32_t { kStart = 1, kEnd = 2 };
  Kind kind = Kind::kStart;
  int32_t pid = 0;  // kEnd: ends it and waits for it
  SharedLayout layout;
};

struct SpawnerAnswer {
  int32_t pid = 0;
  int32_t wait_status = 0;  // kEnd: as waitpid gives it
  int32_t error = 0;        // errno; 0 when it went well
};

// To a helper. The encoded bytes lie at the start of the shared memory.
struct DecodeJob {
  uint64_t number = 0;  // from 1
  uint64_t encoded_bytes = 0;
  Limits limits;
  int32_t wanted_side = 0;
  int32_t cpu_seconds = 0;  // a backstop: the server ends a slow helper before
};

// From a helper; number 0 when it is ready to work. `status` as it left the decoder.
struct DecodeAnswer {
  uint64_t number = 0;
  absl::Status status;
};

// One message with its file descriptors. Returns 0 or errno.
int SendMessage(int socket, const void* data, size_t size, absl::Span<const int> fds = {});

// Returns the size of the message, 0 at the end of the connection, -1 with errno. A message that does not fit is one of
// a wrong size: it is cut to `size`. Descriptors beyond `most_fds` are closed.
ssize_t ReceiveMessage(int socket, void* data, size_t size, std::vector<int>* fds = nullptr, size_t most_fds = 0);

constexpr size_t kMostAnswerBytes = 4096;
std::string EncodeAnswer(const DecodeAnswer& answer);

// False when the bytes are no answer. A status is either OK or one of INVALID_ARGUMENT and RESOURCE_EXHAUSTED, its
// reason is of the shape of one, and its texts are printable.
bool ParseAnswer(absl::string_view bytes, DecodeAnswer* answer);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_SANDBOX_WIRE_H_
