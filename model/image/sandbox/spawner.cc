#include "model/image/sandbox/spawner.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <set>
#include <vector>

#include "model/image/sandbox/wire.h"
#include "model/image/sandbox/worker.h"

namespace sightline::image {
namespace {

constexpr int kExitBadCommand = 2;

int WaitFor(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

// What the helper must have when it is confined, and nothing that it must not.
int BecomeHelper(pid_t spawner, int control, const std::vector<int>& fds, const SharedLayout& layout) {
  ::prctl(PR_SET_NAME, "image-decoder");
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != spawner) return 0;  // it died before the line above
  ::close(control);
  // What a library writes about an image does not belong into the server's log.
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nowhere >= 0) ::dup2(nowhere, STDERR_FILENO);
  if (nowhere > STDERR_FILENO) ::close(nowhere);
  return RunWorker(fds[1], fds[0], layout);
}

}  // namespace

int RunSpawner(int control) {
  // Signals of a terminal or of a service manager are the server's to handle: it may still want its helpers.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) std::signal(signal, SIG_IGN);
  ::prctl(PR_SET_NAME, "decoder-spawner");
  if (::chdir("/") != 0) return kExitBadCommand;
  const pid_t self = ::getpid();
  std::set<pid_t> helpers;
  SpawnerCommand command;
  std::vector<int> fds;
  int code = 0;
  while (true) {
    const ssize_t size = ReceiveMessage(control, &command, sizeof(command), &fds, 2);
    if (size <= 0) break;
    code = kExitBadCommand;
    if (size != sizeof(command)) break;
    SpawnerAnswer answer;
    if (command.kind == SpawnerCommand::Kind::kStart) {
      if (fds.size() != 2) break;
      const pid_t pid = ::fork();
      if (pid == 0) return BecomeHelper(self, control, fds, command.layout);
      answer.pid = pid;
      answer.error = pid < 0 ? errno : 0;
      if (pid > 0) helpers.insert(pid);
      for (const int fd : fds) ::close(fd);
    } else {
      // Known and not waited for yet: nobody else can have the number.
      if (helpers.erase(command.pid) == 0) break;
      ::kill(command.pid, SIGKILL);
      answer.pid = command.pid;
      answer.wait_status = WaitFor(command.pid);
    }
    fds.clear();
    if (SendMessage(control, &answer, sizeof(answer)) != 0) break;
    code = 0;
  }
  for (const pid_t pid : helpers) {
    ::kill(pid, SIGKILL);
    WaitFor(pid);
  }
  return code;
}

}  // namespace sightline::image
