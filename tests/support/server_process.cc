#include "tests/support/server_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"

namespace sightline::testing {
namespace {

using std::chrono::steady_clock;

constexpr auto kStartTime = std::chrono::seconds(60);
constexpr auto kEndTime = std::chrono::seconds(60);
constexpr auto kPoll = std::chrono::milliseconds(5);
constexpr size_t kLogTail = 4000;

void Limit(__rlimit_resource_t what, int64_t most) {
  if (most <= 0) return;
  const rlimit limit{static_cast<rlim_t>(most), static_cast<rlim_t>(most)};
  ::setrlimit(what, &limit);
}

// The child: only calls that are safe after a fork of a process with threads.
[[noreturn]] void Become(const std::vector<char*>& arguments, const std::vector<char*>& environment, const char* log,
                         int64_t memory_limit, int64_t file_limit) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  Limit(RLIMIT_DATA, memory_limit);
  Limit(RLIMIT_NOFILE, file_limit);
  const int fd = ::open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (fd >= 0) {
    ::dup2(fd, STDOUT_FILENO);
    ::dup2(fd, STDERR_FILENO);
  }
  ::execve(arguments[0], arguments.data(), environment.data());
  ::_exit(127);
}

}  // namespace

std::string ServerProcess::Binary() { return SIGHTLINE_SERVER_BINARY; }

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(Options options) {
  const std::string port_file = options.folder + "/ports.json";
  const std::string log = options.folder + "/server.log";
  std::error_code ignored;
  std::filesystem::remove(port_file, ignored);
  // One that does not wait finds its ports in the log.
  if (!options.wait_until_ready) std::filesystem::remove(log, ignored);
  std::vector<std::string> words = {SIGHTLINE_SERVER_BINARY,     "--listen=127.0.0.1:0",
                                    "--http_listen=127.0.0.1:0", "--admin_listen=127.0.0.1:0",
                                    "--port_file=" + port_file,  "--data_dir=" + options.folder + "/data"};
  words.insert(words.end(), options.flags.begin(), options.flags.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::vector<char*> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
  for (std::string& entry : options.environment) environment.push_back(entry.data());
  environment.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) Become(arguments, environment, log.c_str(), options.memory_limit, options.file_limit);
  if (pid < 0) return absl::InternalError("fork failed");
  std::unique_ptr<ServerProcess> server(new ServerProcess(std::move(options), pid));
  if (const absl::Status ready = server->WaitUntilReady(); !ready.ok()) return ready;
  return server;
}

ServerProcess::ServerProcess(Options options, pid_t pid) : options_(std::move(options)), pid_(pid) {}

ServerProcess::~ServerProcess() { Kill(); }

std::string ServerProcess::address() const { return absl::StrCat("127.0.0.1:", grpc_port_); }

// The server writes the port file when it serves, and replaces it in one step, so it is there wholly or not at all.
absl::Status ServerProcess::WaitUntilReady() {
  const auto deadline = steady_clock::now() + kStartTime;
  while (steady_clock::now() < deadline) {
    if (ReadPorts()) return absl::OkStatus();
    if (!Running()) {
      return absl::InternalError(absl::StrCat("the server ended with ", exit_code_, " before it served:\n", Log()));
    }
    std::this_thread::sleep_for(kPoll);
  }
  return absl::DeadlineExceededError(absl::StrCat("the server does not get ready:\n", Log()));
}

bool ServerProcess::ReadPorts() {
  if (options_.wait_until_ready) {
    const auto ports = base::ReadFile(options_.folder + "/ports.json", 4096);
    return ports.ok() && std::sscanf(ports->c_str(), "{\"grpc\": %d, \"http\": %d, \"admin\": %d}", &grpc_port_,
                                     &http_port_, &admin_port_) == 3;
  }
  const std::string log = Log();
  const size_t at = log.find("\"listening\"");
  return at != std::string::npos &&
         std::sscanf(log.c_str() + at, "\"listening\",\"grpc\":\"port %d\",\"http\":\"port %d\",\"admin\":\"port %d\"",
                     &grpc_port_, &http_port_, &admin_port_) == 3;
}

bool ServerProcess::Running() {
  if (pid_ < 0) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) == 0) return true;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  pid_ = -1;
  return false;
}

void ServerProcess::Signal(int signal) {
  if (Running()) ::kill(pid_, signal);
}

int64_t ServerProcess::OwnMemory() const {
  std::ifstream status(absl::StrCat("/proc/", pid_, "/status"));
  for (std::string line; std::getline(status, line);) {
    long long kilobytes = 0;
    if (std::sscanf(line.c_str(), "VmData: %lld kB", &kilobytes) == 1) return kilobytes << 10;
  }
  return 0;
}

void ServerProcess::AskToEnd() { Signal(SIGTERM); }

int ServerProcess::WaitForEnd() {
  const auto deadline = steady_clock::now() + kEndTime;
  while (Running() && steady_clock::now() < deadline) std::this_thread::sleep_for(kPoll);
  if (Running()) Kill();
  return exit_code_;
}

int ServerProcess::Terminate() {
  AskToEnd();
  return WaitForEnd();
}

void ServerProcess::Kill() {
  if (!Running()) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  exit_code_ = -SIGKILL;
  pid_ = -1;
}

std::string ServerProcess::Page(const std::string& path) const {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return "";
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(admin_port_));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string reply;
  const std::string request = absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
      ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
    char buffer[16'384];
    for (ssize_t got = 0; (got = ::recv(fd, buffer, sizeof(buffer), 0)) > 0;) {
      reply.append(buffer, static_cast<size_t>(got));
    }
  }
  ::close(fd);
  return reply;
}

double ServerProcess::Metric(const std::string& series) const {
  const std::string page = Page("/metrics");
  const size_t place = page.find(absl::StrCat("\n", series, " "));
  return place == std::string::npos ? 0 : std::atof(page.c_str() + place + series.size() + 2);
}

int64_t ServerProcess::FromStatus(const std::string& name) const {
  std::ifstream status(absl::StrCat("/proc/", pid_, "/status"));
  int64_t kilobytes = 0;
  for (std::string word; status >> word;) {
    if (word == name && status >> kilobytes) break;
  }
  return kilobytes * 1024;
}

std::string ServerProcess::Log() const {
  const auto log = base::ReadFile(options_.folder + "/server.log", int64_t{64} << 20);
  if (!log.ok()) return std::string(log.status().message());
  return log->size() <= kLogTail ? *log : log->substr(log->size() - kLogTail);
}

}  // namespace sightline::testing
