// sightline-server: see --help.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "base/status.h"
#include "base/version.h"
#include "model/cpu.h"
#include "model/device/device.h"
#include "model/model.h"
#include "server/app.h"
#include "server/blas_check.h"
#include "server/doctor.h"
#include "server/end_watch.h"
#include "server/index_card.h"
#include "server/manual.h"
#include "server/options.h"
#include "server/signals.h"
#include "server/start_decoder.h"
#include "server/start_watch.h"

namespace {

using sightline::base::Log;
using sightline::base::Severity;

constexpr int kExitError = 1;
constexpr int kExitUsage = 2;
// What the server takes to close its files once callers are served, at most.
constexpr absl::Duration kLongestEnd = absl::Seconds(3);

// Before any file is opened.
void GuardFiles() {
  // Whatever is opened next must not become the stream that the log is written to.
  int fd = 0;
  do {
    fd = ::open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO) ::close(fd);
  // What the server keeps is for its user and group, unless its own umask is stricter still.
  constexpr mode_t kOthers = S_IWGRP | S_IRWXO;
  ::umask(::umask(kOthers) | kOthers);
}

int Fail(const absl::Status& status, int code) {
  std::fprintf(stderr, "sightline-server: %s\n", std::string(status.message()).c_str());
  return code;
}

// Sets the devices that --device comes to on this machine.
absl::Status FindDevices(sightline::server::ServerOptions* options) {
  SIGHTLINE_ASSIGN_OR_RETURN(options->devices, sightline::model::FindDevices(options->device));
  return absl::OkStatus();
}

void Reload(sightline::server::App& app) {
  const auto reloaded = sightline::server::ReloadOptions();
  if (reloaded.ok()) {
    app.Reload(reloaded->options);
    for (const auto& [name, value] : reloaded->changed) Log(Severity::kInfo, "setting changed", {{name, value}});
    for (const auto& [name, value] : reloaded->needs_restart) {
      Log(Severity::kWarning, "setting changed, but it needs a restart", {{name, value}});
    }
  } else {
    Log(Severity::kError, "settings not read again: those in force stay",
        {{"error", std::string(reloaded.status().message())}});
  }
  app.ReloadFiles();
}

}  // namespace

int main(int argc, char** argv) {
  GuardFiles();
  sightline::server::MainBegins();
  sightline::model::UseWholeCpu();
  absl::StatusOr<sightline::server::ServerOptions> options = sightline::server::ParseOptions(argc, argv);
  if (!options.ok()) return Fail(options.status(), kExitUsage);
  if (options->help != sightline::server::Help::kNone) {
    const bool page = options->help == sightline::server::Help::kManPage;
    std::fputs((page ? sightline::server::ManPage() : sightline::server::HelpText()).c_str(), stdout);
    return 0;
  }
  sightline::base::SetLogLevel(options->log_level);

  const sightline::server::BlasCheck blas = sightline::server::CheckBlas();
  const auto load = &sightline::model::Model::Load;
  if (options->doctor) {
    const absl::Status devices = FindDevices(&*options);
    const auto lines = sightline::server::Diagnose(*options, load, blas, devices);
    std::fputs(sightline::server::DoctorTable(lines).c_str(), stdout);
    return sightline::server::AnyFailed(lines) ? kExitError : 0;
  }

  // Before any thread: it starts a process, and nothing does so later.
  auto decoder = sightline::server::StartDecoder(*options);
  if (!decoder.ok()) return Fail(decoder.status(), kExitError);
  // After it: a driver may start threads.
  if (const absl::Status devices = FindDevices(&*options); !devices.ok()) return Fail(devices, kExitUsage);
  sightline::server::Signals signals;
  Log(Severity::kInfo, "starting", {{"version", sightline::base::VersionText()}, {"data_dir", options->data_dir}});
  auto card = sightline::server::OpenIndexCard(options->index_card);
  if (!card.ok()) return Fail(card.status(), kExitUsage);
  auto app = sightline::server::App::Start(*options, load, blas, sightline::model::CpuCapability(), *std::move(decoder),
                                           *std::move(card));
  if (!app.ok()) return Fail(app.status(), kExitError);
  signals.SetPhase(sightline::server::Signals::Phase::kServing);
  sightline::server::StartEnds();
  while (signals.Next() == SIGHUP) Reload(**app);
  signals.SetPhase(sightline::server::Signals::Phase::kStopping);
  {
    const sightline::server::EndWatch watch((*app)->drain_grace() + kLongestEnd);
    (*app)->Stop();
    app->reset();
  }
  Log(Severity::kInfo, "stopped");
  return 0;
}
