#include "tests/bench/python_peer.h"

#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"

extern char** environ;

namespace sightline::bench {

absl::StatusOr<std::unique_ptr<PythonPeer>> PythonPeer::Start(const std::string& script, int threads,
                                                              const std::string& device) {
  // One socket for questions and answers: writing to a process that has gone is an error then, not a signal.
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return absl::InternalError("no socket for the peer. Close other programs and try again.");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  const char* const other = std::getenv("SIGHTLINE_PEER_PYTHON");
  std::string python = other != nullptr ? other : "/usr/bin/python3";
  std::string path = script, count = std::to_string(threads), on = device;
  char* const arguments[] = {python.data(), path.data(), count.data(), on.empty() ? nullptr : on.data(), nullptr};
  pid_t process = 0;
  const int failed = ::posix_spawn(&process, python.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (failed != 0) {
    ::close(ends[0]);
    return absl::UnavailableError(absl::StrCat(python, " does not start. Install python3-torch."));
  }
  std::unique_ptr<PythonPeer> peer(new PythonPeer(script, process, ends[0]));
  absl::StatusOr<nlohmann::json> hello = peer->ReadAnswer();
  if (!hello.ok()) return hello.status();
  peer->hello_ = *std::move(hello);
  return peer;
}

PythonPeer::~PythonPeer() {
  // The process ends at the end of its input.
  ::close(socket_);
  ::waitpid(process_, nullptr, 0);
}

absl::StatusOr<nlohmann::json> PythonPeer::ReadAnswer() {
  for (;;) {
    const size_t end = unread_.find('\n');
    if (end != std::string::npos) {
      const nlohmann::json answer = nlohmann::json::parse(unread_.substr(0, end), nullptr, /*allow_exceptions=*/false);
      unread_.erase(0, end + 1);
      if (answer.is_object()) return answer;
      return absl::InternalError(absl::StrCat("the peer's answer is not JSON. Run ", script_, " by hand to see why."));
    }
    char block[1 << 16];
    const ssize_t count = ::read(socket_, block, sizeof(block));
    if (count <= 0) return absl::UnavailableError("the peer ended; its message is above. Is python3-torch installed?");
    unread_.append(block, static_cast<size_t>(count));
  }
}

absl::StatusOr<nlohmann::json> PythonPeer::Ask(const nlohmann::json& question) {
  const std::string line = absl::StrCat(question.dump(), "\n");
  for (size_t sent = 0; sent < line.size();) {
    const ssize_t count = ::send(socket_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return absl::UnavailableError("the peer ended; its message is above.");
    sent += static_cast<size_t>(count);
  }
  return ReadAnswer();
}

}  // namespace sightline::bench
