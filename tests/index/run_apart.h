// RunApart: work in a process of its own, which dies at a kill point when one is named.
//
// In programs whose own process passes no kill point: the environment is read at the first one, and threads do not come
// along into a process that is forked. Failure: the exit code, 1 where the work did not go well, or minus the signal.
//
//   EXPECT_EQ(RunApart("alias.before_write", [&] { return Change(); }), -SIGKILL);
//   EXPECT_EQ(RunApart("", [&] { return IsAsBefore(); }), 0);
#ifndef SIGHTLINE_TESTS_INDEX_RUN_APART_H_
#define SIGHTLINE_TESTS_INDEX_RUN_APART_H_

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

namespace sightline::index {

inline int RunApart(const std::string& kill_point, const std::function<bool()>& work) {
  const pid_t pid = ::fork();
  if (pid < 0) return pid;
  if (pid == 0) {
    if (!kill_point.empty()) {
      ::setenv("SIGHTLINE_ALLOW_KILL_POINTS", "1", 1);
      ::setenv("SIGHTLINE_KILL_POINT", kill_point.c_str(), 1);
    }
    const bool well = work();
    std::fflush(stdout);
    ::_exit(well ? 0 : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace sightline::index

#endif  // SIGHTLINE_TESTS_INDEX_RUN_APART_H_
