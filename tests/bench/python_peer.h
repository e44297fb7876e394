// A peer in a Python process of its own, asked and answering in JSON, one object per line.
//
// Threading: one thread. Ownership: the process ends with the object. Failure: Status; UNAVAILABLE where the process
// does not start or ends, its message being on standard error.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const auto peer, PythonPeer::Start("embed_reference.py", 2));
//   SIGHTLINE_ASSIGN_OR_RETURN(const nlohmann::json answer, peer->Ask({{"run", 1}}));
#ifndef SIGHTLINE_TESTS_BENCH_PYTHON_PEER_H_
#define SIGHTLINE_TESTS_BENCH_PYTHON_PEER_H_

#include <sys/types.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace sightline::bench {

class PythonPeer {
 public:
  // Runs /usr/bin/python3, or the program that the environment variable SIGHTLINE_PEER_PYTHON names, with SCRIPT
  // THREADS [DEVICE], and reads its first line, which says what it is.
  static absl::StatusOr<std::unique_ptr<PythonPeer>> Start(const std::string& script, int threads,
                                                           const std::string& device = "");
  ~PythonPeer();
  PythonPeer(const PythonPeer&) = delete;
  PythonPeer& operator=(const PythonPeer&) = delete;

  absl::StatusOr<nlohmann::json> Ask(const nlohmann::json& question);

  const nlohmann::json& hello() const { return hello_; }

 private:
  PythonPeer(std::string script, pid_t process, int socket)
      : script_(std::move(script)), process_(process), socket_(socket) {}
  absl::StatusOr<nlohmann::json> ReadAnswer();

  const std::string script_;
  const pid_t process_;
  const int socket_;
  nlohmann::json hello_;
  std::string unread_;
};

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_PYTHON_PEER_H_
