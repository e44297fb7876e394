// ServerProcess: the real sightline-server as a child process on free ports, for black-box tests.
//
// Threading: one thread at a time. Ownership: the destructor kills a server that still runs; a test that dies takes its
// server with it. Failure: Status that holds the end of the server's log.
//
//   TempFolder folder;
//   auto server = *ServerProcess::Start({.folder = folder.path()});
//   Use(server->address());
//   EXPECT_EQ(server->Terminate(), 0);
#ifndef SIGHTLINE_TESTS_SUPPORT_SERVER_PROCESS_H_
#define SIGHTLINE_TESTS_SUPPORT_SERVER_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace sightline::testing {

class ServerProcess {
 public:
  struct Options {
    std::string folder;                   // holds the data directory, the port file and the log
    std::vector<std::string> flags = {};  // beside the addresses, the data directory and the port file
    // Added to the test's own: "SIGHTLINE_KILL_POINT=...".
    std::vector<std::string> environment = {};
    bool wait_until_ready = true;  // false: Start returns when the ports are bound
    int64_t memory_limit = 0;      // bytes of memory of its own (RLIMIT_DATA); 0 for none
    int64_t file_limit = 0;        // open files, sockets included (RLIMIT_NOFILE); 0 for the test's own limit
  };

  // Where the program is, and every flag that Start gives it, for a run of another kind (--doctor).
  static std::string Binary();

  // Returns once the server serves; a later start with the same folder opens the same data.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(Options options);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  std::string address() const;        // of gRPC
  pid_t pid() const { return pid_; }  // -1 once it has ended
  int grpc_port() const { return grpc_port_; }
  int http_port() const { return http_port_; }
  int admin_port() const { return admin_port_; }

  // A page of the admin address: "/metrics". Empty when it cannot be had.
  std::string Page(const std::string& path) const;
  // One series of /metrics, with its labels as they stand there; 0 where there is none.
  double Metric(const std::string& series) const;
  // Of memory that is in use now, and the most there ever was; 0 once it has ended.
  int64_t ResidentBytes() const { return FromStatus("VmRSS:"); }
  int64_t PeakResidentBytes() const { return FromStatus("VmHWM:"); }
  // Bytes of memory of its own that it has asked for so far, as memory_limit counts them; 0 when it is not known.
  int64_t OwnMemory() const;

  bool Running();
  void Signal(int signal);
  // SIGTERM without waiting.
  void AskToEnd();
  // Waits for the end, a minute at most. Returns the exit code, or minus the signal that ended it.
  int WaitForEnd();
  // Both.
  int Terminate();
  // SIGKILL, and waits until the process is gone.
  void Kill();
  std::string Log() const;

 private:
  ServerProcess(Options options, pid_t pid);
  absl::Status WaitUntilReady();
  bool ReadPorts();
  int64_t FromStatus(const std::string& name) const;

  const Options options_;
  pid_t pid_;  // -1 once it has ended
  int exit_code_ = 0;
  int grpc_port_ = 0;
  int http_port_ = 0;
  int admin_port_ = 0;
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_SUPPORT_SERVER_PROCESS_H_
