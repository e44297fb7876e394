// SpawnerLink: the server's end of its spawner. A spawner that died is started again with the next command.
//
// Threading: all methods may be called from any thread; they take turns. Ownership: owns the spawner's process; the
// destructor ends it, and with it every helper. Failure: FAILED_PRECONDITION when the program cannot be started,
// UNAVAILABLE when a helper cannot.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(auto spawner, SpawnerLink::Start("/usr/bin/sightline-decoder"));
//   SIGHTLINE_ASSIGN_OR_RETURN(pid_t pid, spawner->StartHelper(layout, memory, socket));
//   int wait_status = spawner->EndHelper(pid);
#ifndef SIGHTLINE_MODEL_IMAGE_SANDBOX_SPAWNER_LINK_H_
#define SIGHTLINE_MODEL_IMAGE_SANDBOX_SPAWNER_LINK_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "model/image/sandbox/wire.h"

namespace sightline::image {

class SpawnerLink {
 public:
  static absl::StatusOr<std::unique_ptr<SpawnerLink>> Start(const std::string& program);
  ~SpawnerLink();
  SpawnerLink(const SpawnerLink&) = delete;
  SpawnerLink& operator=(const SpawnerLink&) = delete;

  // The helper gets copies of both descriptors.
  absl::StatusOr<pid_t> StartHelper(const SharedLayout& layout, int memory, int socket);

  // Ends a helper that still lives. Returns how it ended, as waitpid gives it; 0 where nobody knows any more.
  int EndHelper(pid_t pid);

 private:
  explicit SpawnerLink(const std::string& program) : program_(program) {}
  absl::Status Launch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Close() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False when the spawner is gone.
  bool Ask(const SpawnerCommand& command, absl::Span<const int> fds, SpawnerAnswer* answer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string program_;
  base::Mutex mutex_;
  pid_t spawner_ ABSL_GUARDED_BY(mutex_) = -1;
  int control_ ABSL_GUARDED_BY(mutex_) = -1;
};

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_SANDBOX_SPAWNER_LINK_H_
