// SpawnerLink: the server's end of its spawner. A spawner that died is started again with the next command.
//
// Threading: all methods may be called from any thread; they take turns. Ownership: owns the spawner's process; the
// destructor ends it, and with it every helper. Failure: FAILED_PRECONDITION when the program cannot be started,
// UNAVAILABLE when a helper cannot.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(auto spawner, SpawnerLink::Start("/usr/bin/sightline-decoder"));
//   SIGHTLINE_ASSIGN_OR_RETURN(HelperProcess helper, spawner->StartHelper(layout, memory, socket));
//   std::optional<int> wait_status = spawner->EndHelper(helper);
#ifndef SIGHTLINE_MODEL_IMAGE_SANDBOX_SPAWNER_LINK_H_
#define SIGHTLINE_MODEL_IMAGE_SANDBOX_SPAWNER_LINK_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "model/image/sandbox/wire.h"

namespace sightline::image {

// A process, and which of the spawners it belongs to: another one knows nothing of it, and its number may by then be
// somebody else's.
struct HelperProcess {
  pid_t pid = -1;
  uint64_t spawner = 0;
};

class SpawnerLink {
 public:
  static absl::StatusOr<std::unique_ptr<SpawnerLink>> Start(const std::string& program);
  ~SpawnerLink();
  SpawnerLink(const SpawnerLink&) = delete;
  SpawnerLink& operator=(const SpawnerLink&) = delete;

  // The helper gets copies of both descriptors.
  absl::StatusOr<HelperProcess> StartHelper(const SharedLayout& layout, int memory, int socket);

  // Ends a helper that still lives. Returns how it ended, as waitpid gives it; nothing where nobody knows any more,
  // because its spawner is gone, and with that the helper.
  std::optional<int> EndHelper(const HelperProcess& helper);

 private:
  explicit SpawnerLink(const std::string& program) : program_(program) {}
  absl::Status Launch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Close() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False when the spawner is gone.
  bool Ask(const SpawnerCommand& command, absl::Span<const int> fds, SpawnerAnswer* answer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string program_;
  base::Mutex mutex_;
  uint64_t launches_ ABSL_GUARDED_BY(mutex_) = 0;  // the number of the spawner there is
  pid_t spawner_ ABSL_GUARDED_BY(mutex_) = -1;
  int control_ ABSL_GUARDED_BY(mutex_) = -1;
};

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_SANDBOX_SPAWNER_LINK_H_
