// HelperLink: the server's end of one helper: its shared memory, its socket, its process.
//
// Threading: one thread at a time. Ownership: owns memory and socket, and ends the process. Failure: Run says how an
// image ended; a helper that did not answer is gone, and Restart makes another.
//
//   HelperLink helper(&spawner, layout);
//   SIGHTLINE_RETURN_IF_ERROR(helper.Restart());
//   HelperLink::End end = helper.Run(encoded, limits, wanted_side, absl::Seconds(2), &status, &signal);
//   ... take the pixels ...
//   helper.Forget(encoded.size(), pixel_bytes);
#ifndef SIGHTLINE_MODEL_IMAGE_SANDBOX_HELPER_LINK_H_
#define SIGHTLINE_MODEL_IMAGE_SANDBOX_HELPER_LINK_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "model/image/sandbox/spawner_link.h"
#include "model/image/sandbox/wire.h"

namespace sightline::image {

class HelperLink {
 public:
  // `spawner` must outlive this.
  HelperLink(SpawnerLink* spawner, const SharedLayout& layout) : spawner_(spawner), layout_(layout) {}
  ~HelperLink();
  HelperLink(const HelperLink&) = delete;
  HelperLink& operator=(const HelperLink&) = delete;

  // Ends the helper there is, and starts one that is confined and ready.
  absl::Status Restart();
  // False where there is none, or the one there was has died meanwhile.
  bool Running() const;
  pid_t pid() const { return process_.pid; }

  enum class End { kAnswered, kDied, kTimedOut };

  // Gives the helper one image. `time` is of its processor, or of the clock where it makes no progress at all. With
  // kAnswered `status` is its answer, and with OK the pixels lie at pixels(); otherwise the helper is gone, and
  // `signal` is what ended it, 0 where it ended by itself, nothing where its spawner was gone too.
  End Run(absl::string_view encoded, const Limits& limits, int wanted_side, absl::Duration time, absl::Status* status,
          std::optional<int>* signal);

  const uint8_t* pixels() const { return memory_ + layout_.input_bytes; }

  // After an image, however it ended: nothing of it is left in the shared memory for the next one to find, and what
  // most images do not need goes back to the system.
  void Forget(size_t encoded_bytes, size_t pixel_bytes);

 private:
  absl::Status MapMemory();
  std::optional<int> EndProcess();
  // True when something can be received before the time is over.
  bool WaitForAnswer(absl::Duration time) const;

  SpawnerLink* const spawner_;
  const SharedLayout layout_;
  int memory_fd_ = -1;
  uint8_t* memory_ = nullptr;
  int socket_ = -1;
  HelperProcess process_;
  uint64_t jobs_ = 0;
};

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_SANDBOX_HELPER_LINK_H_
