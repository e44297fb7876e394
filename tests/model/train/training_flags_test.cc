#include "model/train/training_flags.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

namespace sightline::train {
namespace {

TEST(TrainingFlagsTest, TheFirstSignalAsksToStopAndTheSecondEnds) {
  const auto two_signals = [](int first, int second) {
    TrainOptions options;
    StopOnSignals(options);
    if (options.wants_to_stop()) std::exit(1);
    std::raise(first);
    if (!options.wants_to_stop()) std::exit(2);
    std::raise(second);
    std::exit(3);
  };
  for (const int first : {SIGINT, SIGTERM}) {
    for (const int second : {SIGINT, SIGTERM}) {
      EXPECT_EXIT(two_signals(first, second), ::testing::KilledBySignal(second), "") << first << " " << second;
    }
  }
}

}  // namespace
}  // namespace sightline::train
