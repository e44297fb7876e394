// The program `sightline`.
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/clock.h"
#include "client/cli/run.h"

namespace {

volatile std::sig_atomic_t g_interrupted = 0;

// The first Ctrl-C asks the verb to end well; the second ends the process.
void OnInterrupt(int signal) {
  g_interrupted = 1;
  std::signal(signal, SIG_DFL);
}

int TerminalColumns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// Whether what is written there is for eyes that want colour.
bool IsColourful(int fd) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return ::isatty(fd) == 1 && (no_colour == nullptr || *no_colour == 0) &&
         (terminal == nullptr || std::strcmp(terminal, "dumb") != 0);
}

bool Confirm(const std::string& question) {
  std::fprintf(stderr, "%s [y/N] ", question.c_str());
  const int answer = std::getchar();
  return answer == 'y' || answer == 'Y';
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that goes away is noticed where it is written to, and does not end an indexing run halfway.
  std::signal(SIGPIPE, SIG_IGN);
  // gRPC logs broken connections on its own; this program says what happened in its own words.
  ::setenv("GRPC_VERBOSITY", "NONE", 0);
  sightline::cli::FdSink out(STDOUT_FILENO, "standard output");
  sightline::cli::FdSink err(STDERR_FILENO, "standard error");
  const char* address = std::getenv("SIGHTLINE_ADDRESS");
  const char* key = std::getenv("SIGHTLINE_API_KEY");
  sightline::cli::Context context{.out = out,
                                  .err = err,
                                  .clock = sightline::base::Clock::Real(),
                                  .err_is_terminal = ::isatty(STDERR_FILENO) == 1,
                                  .err_colour = IsColourful(STDERR_FILENO),
                                  .columns = TerminalColumns(),
                                  .default_address = address == nullptr ? "" : address,
                                  .api_key = key == nullptr ? "" : key,
                                  .interrupted = [] { return g_interrupted != 0; }};
  if (::isatty(STDOUT_FILENO) != 1) context.style = sightline::cli::TableStyle::kFields;
  if (IsColourful(STDOUT_FILENO)) context.style = sightline::cli::TableStyle::kColoured;
  if (context.err_is_terminal && ::isatty(STDIN_FILENO) == 1) context.confirm = Confirm;
  const std::vector<std::string> words(argv + 1, argv + argc);
  // Some verbs end well halfway; Ctrl-C ends every other at once.
  const bool ends_well = !words.empty() && (words[0] == "index" || words[0] == "evaluate" || words[0] == "export");
  if (ends_well) std::signal(SIGINT, OnInterrupt);
  return sightline::cli::Run(context, words);
}
