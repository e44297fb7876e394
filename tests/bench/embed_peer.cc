#include "tests/bench/embed_peer.h"

#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

extern char** environ;

namespace sightline::bench {

absl::StatusOr<std::unique_ptr<EagerPeer>> EagerPeer::Start(int threads) {
  // One socket for questions and answers: writing to a process that has gone is an error then, not a signal.
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return absl::InternalError("no socket for the peer. Close other programs and try again.");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  std::string python = "/usr/bin/python3", script = SIGHTLINE_EMBED_REFERENCE, count = std::to_string(threads);
  char* const arguments[] = {python.data(), script.data(), count.data(), nullptr};
  pid_t process = 0;
  const int failed = ::posix_spawn(&process, python.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (failed != 0) {
    ::close(ends[0]);
    return absl::UnavailableError("/usr/bin/python3 does not start. Install python3-torch.");
  }
  std::unique_ptr<EagerPeer> peer(new EagerPeer(process, ends[0]));
  const absl::StatusOr<nlohmann::json> hello = peer->ReadAnswer();
  if (!hello.ok()) return hello.status();
  peer->name_ = absl::StrCat("PyTorch ", hello->value("torch", ""), " eager, ", hello->value("capability", ""));
  return peer;
}

EagerPeer::~EagerPeer() {
  // The process ends at the end of its input.
  ::close(socket_);
  ::waitpid(process_, nullptr, 0);
}

absl::StatusOr<nlohmann::json> EagerPeer::ReadAnswer() {
  for (;;) {
    const size_t end = unread_.find('\n');
    if (end != std::string::npos) {
      const nlohmann::json answer = nlohmann::json::parse(unread_.substr(0, end), nullptr, /*allow_exceptions=*/false);
      unread_.erase(0, end + 1);
      if (answer.is_object()) return answer;
      return absl::InternalError("the peer's answer is not JSON. Run embed_reference.py by hand to see why.");
    }
    char block[1 << 16];
    const ssize_t count = ::read(socket_, block, sizeof(block));
    if (count <= 0) return absl::UnavailableError("the peer ended; its message is above. Is python3-torch installed?");
    unread_.append(block, static_cast<size_t>(count));
  }
}

absl::StatusOr<nlohmann::json> EagerPeer::Ask(const nlohmann::json& question) {
  const std::string line = absl::StrCat(question.dump(), "\n");
  for (size_t sent = 0; sent < line.size();) {
    const ssize_t count = ::send(socket_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return absl::UnavailableError("the peer ended; its message is above.");
    sent += static_cast<size_t>(count);
  }
  return ReadAnswer();
}

absl::StatusOr<EagerPeer::Loaded> EagerPeer::Load(const std::string& folder, const std::string& images,
                                                  const std::vector<int64_t>& shape) {
  const absl::StatusOr<nlohmann::json> answer = Ask({{"load", folder}, {"images", images}, {"shape", shape}});
  if (!answer.ok()) return answer.status();
  Loaded loaded;
  loaded.descriptors = answer->value("descriptors", std::vector<float>());
  loaded.gflop = answer->value("gflop", 0.0);
  loaded.layout = answer->value("layout", "");
  return loaded;
}

absl::StatusOr<double> EagerPeer::Run() {
  const absl::StatusOr<nlohmann::json> answer = Ask({{"run", 1}});
  if (!answer.ok()) return answer.status();
  const std::vector<double> took = answer->value("milliseconds", std::vector<double>());
  if (took.empty()) return absl::InternalError("the peer did not say how long it took.");
  return took.front();
}

}  // namespace sightline::bench
