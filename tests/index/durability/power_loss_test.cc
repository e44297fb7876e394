// Power losses: every acknowledged write is there afterwards and nothing is half there, whatever the disk made of what
// was not synced.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "tests/index/durability/machine.h"
#include "tests/index/durability/truth.h"
#include "tests/support/fault_env.h"
#include "tests/support/seed.h"
#include "tests/support/temp_folder.h"

namespace sightline::index {
namespace {

using sightline::testing::Faults;
using sightline::testing::PowerLoss;

constexpr std::array<PowerLoss::Tail, 5> kTails = {PowerLoss::Tail::kDropped, PowerLoss::Tail::kCut,
                                                   PowerLoss::Tail::kZeros, PowerLoss::Tail::kHoles,
                                                   PowerLoss::Tail::kKept};
constexpr std::array<PowerLoss::Names, 3> kNames = {PowerLoss::Names::kUndone, PowerLoss::Names::kSomeKept,
                                                    PowerLoss::Names::kKept};

PowerLoss RandomLoss(std::mt19937& random) {
  PowerLoss loss;
  loss.tail = kTails[random() % kTails.size()];
  loss.names = kNames[random() % kNames.size()];
  loss.seed = static_cast<unsigned>(random());
  return loss;
}

std::string ToString(const PowerLoss& loss) {
  return absl::StrCat("tail ", static_cast<int>(loss.tail), ", names ", static_cast<int>(loss.names), ", seed ",
                      loss.seed);
}

Faults PowerOffAt(uint64_t operation) {
  Faults off = Faults::EveryChange();
  off.error = Faults::Error::kPowerOff;
  off.nth = operation;
  return off;
}

class PowerLossTest : public ::testing::Test {
 protected:
  PowerLossTest() { base::SetLogLevel(base::Severity::kOff); }

  // The power goes off now, the machine comes back with what the disk made of it, and what it holds is the truth.
  void LosePowerAndCheck(Machine& machine, Truth& truth, const std::string& when) {
    machine.env.Cut();
    machine.Close();
    const PowerLoss loss = RandomLoss(random_);
    SCOPED_TRACE(absl::StrCat("seed ", seed_, ", ", when, ": ", ToString(loss)));
    machine.env.Boot(loss);
    const absl::Status opened = machine.Open();
    ASSERT_TRUE(opened.ok()) << opened;
    ASSERT_TRUE(truth.Check(*machine.collection, /*reopened=*/true));
  }

  const unsigned seed_ = sightline::testing::Seed();
  std::mt19937 random_{seed_};
  sightline::testing::TempFolder folder_{sightline::testing::FastFolder()};
};

// The power goes off right after an acknowledgement, or at some operation in the middle of a write or of closing; then
// the machine goes on with what is left.
TEST_F(PowerLossTest, EveryAcknowledgedWriteIsThereAndNothingElse) {
  SCOPED_TRACE(absl::StrCat("seed ", seed_));
  Machine machine(folder_.path());
  Truth truth(seed_);
  ASSERT_TRUE(machine.Open().ok());
  const int rounds = Dose(100, 5'000);
  for (int round = 0; round < rounds; ++round) {
    const int writes = static_cast<int>(random_() % 4);
    for (int i = 0; i < writes; ++i) ASSERT_TRUE(truth.Write(*machine.collection));
    if (random_() % 2 == 0) {
      machine.env.Inject(PowerOffAt(1 + random_() % 6));
      if (random_() % 4 == 0) machine.Close();  // writes table files
      while (machine.collection != nullptr && truth.Write(*machine.collection)) {
      }
    }
    ASSERT_NO_FATAL_FAILURE(LosePowerAndCheck(machine, truth, absl::StrCat("round ", round)));
  }
}

// One small life of a database, with the power going off at its first operation, its second, and so on.
TEST_F(PowerLossTest, AtEveryOperationOfALife) {
  const auto live = [](Machine& machine, Truth& truth) {
    for (int start = 0; start < 2; ++start) {
      if (!machine.Open().ok()) return;
      for (int i = 0; i < 10; ++i) truth.Write(*machine.collection);
      // It fails where the power goes off.
      (void)machine.collection->Optimize({}, kToTheEnd);
      for (int i = 0; i < 2; ++i) truth.Write(*machine.collection);
      machine.Close();
    }
  };
  SCOPED_TRACE(absl::StrCat("seed ", seed_));
  uint64_t operations = 0;
  {
    const sightline::testing::TempFolder folder(sightline::testing::FastFolder());
    Machine machine(folder.path());
    Truth truth(1);
    machine.env.Inject(Faults::EveryChange());
    live(machine, truth);
    operations = machine.env.counted();
    ASSERT_TRUE(machine.Open().ok());
    ASSERT_TRUE(truth.Check(*machine.collection, /*reopened=*/true));
  }
  const uint64_t step = std::max<uint64_t>(1, operations / static_cast<uint64_t>(Dose(100, 1'000'000)));
  std::printf("%d operations, every %d\n", static_cast<int>(operations), static_cast<int>(step));
  for (uint64_t at = 1 + random_() % step; at <= operations; at += step) {
    const sightline::testing::TempFolder folder(sightline::testing::FastFolder());
    Machine machine(folder.path());
    Truth truth(static_cast<unsigned>(at));
    machine.env.Inject(PowerOffAt(at));
    live(machine, truth);
    ASSERT_NO_FATAL_FAILURE(LosePowerAndCheck(machine, truth, absl::StrCat("operation ", at)));
  }
}

// A sync that fails may have dropped what it was to write: a later one that succeeds must not be believed for it.
TEST_F(PowerLossTest, AFailedSyncIsNeverAcknowledgedNorRepeated) {
  SCOPED_TRACE(absl::StrCat("seed ", seed_));
  Machine machine(folder_.path());
  Truth truth(seed_);
  ASSERT_TRUE(machine.Open().ok());
  const int rounds = Dose(40, 1'000);
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(truth.Write(*machine.collection));
    Faults faults;
    faults.sync = true;
    faults.nth = 1;
    faults.path = ".log";
    machine.env.Inject(faults);
    // It may be acknowledged all the same, once it is in another log.
    truth.Write(*machine.collection);
    ASSERT_EQ(machine.env.failed(), 1u);
    ASSERT_TRUE(truth.Check(*machine.collection, /*reopened=*/false));
    // Some of these bring the collection back to life.
    const int more = static_cast<int>(random_() % 4);
    for (int i = 0; i < more; ++i) truth.Write(*machine.collection);
    ASSERT_NO_FATAL_FAILURE(LosePowerAndCheck(machine, truth, absl::StrCat("round ", round)));
  }
}

}  // namespace
}  // namespace sightline::index
