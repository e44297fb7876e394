// sightline-server: see --help.
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/log.h"
#include "model/cpu.h"
#include "model/model.h"
#include "server/app.h"
#include "server/blas_check.h"
#include "server/int8_choice.h"
#include "server/options.h"
#include "server/start_decoder.h"

namespace {

constexpr int kExitError = 1;
constexpr int kExitUsage = 2;

int Fail(const absl::Status& status, int code) {
  std::fprintf(stderr, "sightline-server: %s\n", std::string(status.message()).c_str());
  return code;
}

const char* SignalName(int signal) {
  switch (signal) {
    case SIGTERM: return "SIGTERM";
    case SIGINT: return "SIGINT";
    default: return "SIGHUP";
  }
}

}  // namespace

int main(int argc, char** argv) {
  sightline::model::UseWholeCpu();
  const absl::StatusOr<sightline::server::ServerOptions> options = sightline::server::ParseOptions(argc, argv);
  if (!options.ok()) return Fail(options.status(), kExitUsage);
  sightline::base::SetLogLevel(options->log_level);

  // Blocked before any thread starts, so that every thread inherits it and only this one takes them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  // First of all: it starts a process, and nothing does so later.
  auto decoder = sightline::server::StartDecoder(*options);
  if (!decoder.ok()) return Fail(decoder.status(), kExitError);
  const sightline::server::BlasCheck blas = sightline::server::CheckBlas();
  auto app = sightline::server::App::Start(
      *options, sightline::server::WithInt8(options->int8_models, &sightline::model::Model::Load), blas,
      sightline::model::CpuCapability(), *std::move(decoder));
  if (!app.ok()) return Fail(app.status(), kExitError);
  int signal = 0;
  do {
    sigwait(&signals, &signal);
    sightline::base::Log(sightline::base::Severity::kInfo, "signal received", {{"signal", SignalName(signal)}});
    if (signal == SIGHUP) (*app)->ReloadModels();
  } while (signal == SIGHUP);
  (*app)->Stop();
  sightline::base::Log(sightline::base::Severity::kInfo, "stopped");
  return 0;
}
