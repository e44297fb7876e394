#include "model/image/sandbox/spawner_link.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::image {
namespace {

// A fork or a kill takes milliseconds; a spawner that is silent for so long is as good as dead.
constexpr timeval kPatience = {10, 0};

absl::Status NotStarted(const std::string& program, int error) {
  return base::FailedPrecondition(
      "DECODER_NOT_STARTED",
      absl::StrCat("the image decoder '", program, "' cannot be started: ", std::strerror(error),
                   ". Put sightline-decoder beside sightline-server, name it with --decoder_program, or decode in the "
                   "server with --decode_isolation=none."),
      {{"path", program}});
}

class SpawnActions {
 public:
  explicit SpawnActions(int control) {
    posix_spawn_file_actions_init(&files_);
    // First: where the server was started without standard streams, the socket may have the number of one of them.
    posix_spawn_file_actions_adddup2(&files_, control, kControlFd);
    posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&files_, kControlFd + 1);
    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes_, &none);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnActions() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&files_);
  }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;

  const posix_spawn_file_actions_t* files() const { return &files_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t files_;
  posix_spawnattr_t attributes_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SpawnerLink>> SpawnerLink::Start(const std::string& program) {
  std::unique_ptr<SpawnerLink> link(new SpawnerLink(program));
  base::MutexLock lock(link->mutex_);
  SIGHTLINE_RETURN_IF_ERROR(link->Launch());
  return link;
}

SpawnerLink::~SpawnerLink() {
  base::MutexLock lock(mutex_);
  Close();
}

absl::Status SpawnerLink::Launch() {
  std::array<int, 2> ends = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return NotStarted(program_, errno);
  ::setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
  const SpawnActions actions(ends[1]);
  std::string name = program_;
  const std::array<char*, 2> arguments = {name.data(), nullptr};
  // Without the server's environment: libraries read settings from it, and it may hold secrets.
  const std::array<char*, 1> environment = {nullptr};
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, name.c_str(), actions.files(), actions.attributes(), arguments.data(), environment.data());
  ::close(ends[1]);
  if (error != 0) {
    ::close(ends[0]);
    return NotStarted(program_, error);
  }
  ++launches_;
  spawner_ = pid;
  control_ = ends[0];
  return absl::OkStatus();
}

void SpawnerLink::Close() {
  if (control_ < 0) return;
  ::close(control_);
  control_ = -1;
  // It ends by itself when its socket is closed. One that is stopped or stuck does not.
  for (int i = 0; i < 200; ++i) {
    if (::waitpid(spawner_, nullptr, WNOHANG) != 0) return;
    ::usleep(5000);
  }
  ::kill(spawner_, SIGKILL);
  ::waitpid(spawner_, nullptr, 0);
}

bool SpawnerLink::Ask(const SpawnerCommand& command, absl::Span<const int> fds, SpawnerAnswer* answer) {
  return SendMessage(control_, &command, sizeof(command), fds) == 0 &&
         ReceiveMessage(control_, answer, sizeof(*answer)) == static_cast<ssize_t>(sizeof(*answer));
}

absl::StatusOr<HelperProcess> SpawnerLink::StartHelper(const SharedLayout& layout, int memory, int socket) {
  const SpawnerCommand command = {.kind = SpawnerCommand::Kind::kStart, .pid = 0, .layout = layout};
  const std::array<int, 2> fds = {memory, socket};
  SpawnerAnswer answer;
  base::MutexLock lock(mutex_);
  if (control_ < 0 || !Ask(command, fds, &answer)) {
    Close();
    SIGHTLINE_RETURN_IF_ERROR(Launch());
    if (!Ask(command, fds, &answer)) answer.error = ECHILD;
  }
  if (answer.error == 0) return HelperProcess{answer.pid, launches_};
  return base::RetryableError(absl::StatusCode::kUnavailable, "DECODER_UNAVAILABLE",
                              absl::StrCat("no image decoder can be started: ", std::strerror(answer.error),
                                           ". Try again after the delay given; if it lasts, restart the server."),
                              absl::Seconds(1));
}

std::optional<int> SpawnerLink::EndHelper(const HelperProcess& helper) {
  const SpawnerCommand command = {.kind = SpawnerCommand::Kind::kEnd, .pid = helper.pid, .layout = {}};
  SpawnerAnswer answer;
  base::MutexLock lock(mutex_);
  // Asked about a helper that is not its own, a spawner would end, and its helpers with it: each helper that is
  // replaced would then cost the others, for ever.
  if (control_ < 0 || helper.spawner != launches_) return std::nullopt;
  if (Ask(command, {}, &answer)) return answer.wait_status;
  Close();  // its helpers went with it
  return std::nullopt;
}

}  // namespace sightline::image
