// RunDoctor: sightline-server --doctor, by a shell, with what it printed.
//
// Threading: one thread. Failure: an exit code.
#ifndef SIGHTLINE_TESTS_E2E_RUN_DOCTOR_H_
#define SIGHTLINE_TESTS_E2E_RUN_DOCTOR_H_

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/server_process.h"

namespace sightline::testing {

struct Diagnosis {
  int exit_code = 0;
  std::string text;
};

// `flags` as a shell takes them, redirections among them.
inline Diagnosis RunDoctor(const std::string& flags) {
  const std::string command = absl::StrCat(ServerProcess::Binary(), " --doctor ", flags, " 2>&1");
  FILE* const pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return {-1, "no shell"};
  Diagnosis diagnosis;
  std::array<char, 4096> buffer{};
  for (size_t got; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    diagnosis.text.append(buffer.data(), got);
  }
  diagnosis.exit_code = WEXITSTATUS(::pclose(pipe));
  return diagnosis;
}

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_E2E_RUN_DOCTOR_H_
