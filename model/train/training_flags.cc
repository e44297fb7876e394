#include "model/train/training_flags.h"

#include <csignal>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::train {
namespace {

volatile std::sig_atomic_t stop_wanted = 0;

extern "C" void OnStopSignal(int /*signal*/) {
  stop_wanted = 1;
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

}  // namespace

std::vector<FlagSpec> WithTrainingFlags(std::vector<FlagSpec> own) {
  const std::vector<FlagSpec> common = {
      {"resume", ""}, {"fp16", ""}, {"threads", "N"}, {"device", "cpu|cuda"}, {"zoo", "DIR"}};
  own.insert(own.end(), common.begin(), common.end());
  return own;
}

std::string ZooFolder(const Flags& flags) {
  const char* const zoo = std::getenv("SIGHTLINE_ZOO");
  return flags.Text("zoo", zoo != nullptr ? zoo : "model/zoo");
}

absl::StatusOr<TrainOptions> ReadTrainingFlags(const Flags& flags) {
  SIGHTLINE_ASSIGN_OR_RETURN(const int threads, flags.Threads());
  const std::string device = flags.Text("device", "cpu");
  if (device != "cpu" && device != "cuda") {
    return base::InvalidArgument("SETTING_INVALID", absl::StrCat("--device is ", device, ". Give cpu or cuda."));
  }
  return TrainOptions{.resume = flags.Has("resume"),
                      .threads = threads,
                      .cuda = device == "cuda",
                      .half = flags.Has("fp16"),
                      .zoo = ZooFolder(flags)};
}

void StopOnSignals(TrainOptions& options) {
  stop_wanted = 0;
  std::signal(SIGINT, OnStopSignal);
  std::signal(SIGTERM, OnStopSignal);
  options.wants_to_stop = [] { return stop_wanted != 0; };
}

}  // namespace sightline::train
