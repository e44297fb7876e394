#include "model/train/training_flags.h"

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::train {
namespace {

constexpr int64_t kMostTrainThreads = 1024;

volatile std::sig_atomic_t stop_wanted = 0;

extern "C" void OnStopSignal(int signal) {
  stop_wanted = 1;
  std::signal(signal, SIG_DFL);
}

}  // namespace

std::vector<FlagSpec> WithTrainingFlags(std::vector<FlagSpec> own) {
  const std::vector<FlagSpec> common = {
      {"resume", ""}, {"fp16", ""}, {"threads", "N"}, {"device", "cpu|cuda"}, {"zoo", "DIR"}};
  own.insert(own.end(), common.begin(), common.end());
  return own;
}

absl::StatusOr<TrainOptions> ReadTrainingFlags(const Flags& flags) {
  SIGHTLINE_ASSIGN_OR_RETURN(const int64_t threads, flags.Integer("threads", 0));
  if (threads < 0 || threads > kMostTrainThreads) {
    return base::InvalidArgument("SETTING_OUT_OF_RANGE",
                                 absl::StrCat("--threads is ", threads, ". Give 0 to ", kMostTrainThreads, "."));
  }
  const std::string device = flags.Text("device", "cpu");
  if (device != "cpu" && device != "cuda") {
    return base::InvalidArgument("SETTING_INVALID", absl::StrCat("--device is ", device, ". Give cpu or cuda."));
  }
  const char* const zoo = std::getenv("SIGHTLINE_ZOO");
  return TrainOptions{.resume = flags.Has("resume"),
                      .threads = static_cast<int>(threads),
                      .cuda = device == "cuda",
                      .half = flags.Has("fp16"),
                      .zoo = flags.Text("zoo", zoo != nullptr ? zoo : "model/zoo")};
}

void StopOnSignals(TrainOptions& options) {
  stop_wanted = 0;
  std::signal(SIGINT, OnStopSignal);
  std::signal(SIGTERM, OnStopSignal);
  options.wants_to_stop = [] { return stop_wanted != 0; };
}

}  // namespace sightline::train
