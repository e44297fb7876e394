#include "server/start_watch.h"

#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <system_error>

namespace sightline::server {
namespace {

// The libraries take less than a second.
constexpr time_t kMostSeconds = 3;

constexpr int kExitError = 1;

std::terminate_handler g_usual_terminate = nullptr;

// Nothing here may allocate, or use what is not initialised yet.
[[noreturn]] void EndWithoutMemory() {
  rlimit data = {};
  rlimit space = {};
  ::getrlimit(RLIMIT_DATA, &data);
  ::getrlimit(RLIMIT_AS, &space);
  const rlim_t limit = std::min(data.rlim_cur, space.rlim_cur);
  char text[400];
  int size = 0;
  if (limit == RLIM_INFINITY) {
    size = std::snprintf(
        text, sizeof(text),
        "sightline-server: the memory or a thread that it needs to start cannot be had. Free some, or start it "
        "with --low_memory.\n");
  } else {
    size = std::snprintf(
        text, sizeof(text),
        "sightline-server: the memory or a thread that it needs to start cannot be had; the process may have %llu "
        "MiB. Raise the limit (ulimit -d and -v, LimitDATA= and LimitAS= of the systemd unit), or "
        "start it with --low_memory.\n",
        static_cast<unsigned long long>(limit >> 20));
  }
  (void)!::write(STDERR_FILENO, text, static_cast<size_t>(size));
  ::_exit(kExitError);
}

void OnTimer(int) { EndWithoutMemory(); }

// What no operator new had a part in: a mapping that is refused, or a thread, whose stack is memory, too. Libraries
// that are stopped half-way by either end the process while the exception is on its way.
void OnTerminate() {
  const std::exception_ptr error = std::current_exception();
  if (error == nullptr && std::uncaught_exceptions() > 0) EndWithoutMemory();
  if (error != nullptr) {
    try {
      std::rethrow_exception(error);
    } catch (const std::bad_alloc&) {
      EndWithoutMemory();
    } catch (const std::system_error& system) {
      if (system.code() == std::errc::resource_unavailable_try_again) EndWithoutMemory();
    } catch (...) {
    }
  }
  g_usual_terminate();
}

void SetTimer(time_t seconds) {
  const itimerval timer = {.it_interval = {}, .it_value = {.tv_sec = seconds, .tv_usec = 0}};
  ::setitimer(ITIMER_PROF, &timer, nullptr);
}

void BeforeLibraries() {
  ::signal(SIGPROF, &OnTimer);
  SetTimer(kMostSeconds);
}

// The one place whose functions run before those of shared libraries.
[[gnu::section(".preinit_array"), gnu::used]] void (*const kBeforeLibraries)() = &BeforeLibraries;

}  // namespace

void MainBegins() {
  SetTimer(0);
  ::signal(SIGPROF, SIG_DFL);
  std::set_new_handler(&EndWithoutMemory);
  g_usual_terminate = std::set_terminate(&OnTerminate);
}

void StartEnds() {
  std::set_new_handler(nullptr);
  std::set_terminate(g_usual_terminate);
}

}  // namespace sightline::server
