// What comes after a failure while the collection stays open: nothing of a batch that failed returns in part, the
// collection takes writes again once the disk does, and until then it can be read.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

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

constexpr int kWritesBefore = 12;  // one of every kind

class RecoveryTest : public ::testing::Test {
 protected:
  RecoveryTest() { base::SetLogLevel(base::Severity::kOff); }

  // A write that reaches the log and fails all the same, since it cannot be synced; the disk is full from then on.
  static void FailAWrite(Machine& machine, Truth& truth) {
    Faults faults;
    faults.sync = true;
    faults.error = Faults::Error::kNoSpace;
    faults.nth = 1;
    faults.from_then_on = true;
    faults.path = ".log";
    machine.env.Inject(faults);
    ASSERT_FALSE(truth.Write(*machine.collection));
  }

  // `act` with a new collection in which a write has failed, for every n, a sanitizer's build for some: the n-th change
  // of a folder fails.
  template <typename Act>
  void AtEveryStepOfARecovery(bool from_then_on, const Act& act) {
    uint64_t failed = 1;
    for (uint64_t nth = 1 + sightline::testing::Seed() % kSanitizerShare; failed > 0; nth += kSanitizerShare) {
      SCOPED_TRACE(absl::StrCat("step ", nth));
      const sightline::testing::TempFolder folder(sightline::testing::FastFolder());
      Machine machine(folder.path());
      Truth truth(static_cast<unsigned>(nth));
      ASSERT_TRUE(machine.Open().ok());
      for (int i = 0; i < kWritesBefore; ++i) ASSERT_TRUE(truth.Write(*machine.collection));
      ASSERT_NO_FATAL_FAILURE(FailAWrite(machine, truth));
      Faults faults;
      faults.create = faults.rename = faults.folder_sync = true;
      faults.error = Faults::Error::kNoSpace;
      faults.nth = nth;
      faults.from_then_on = from_then_on;
      machine.env.Inject(faults);
      truth.Write(*machine.collection);
      ASSERT_TRUE(truth.Check(*machine.collection, /*reopened=*/false));
      failed = machine.env.failed();
      ASSERT_NO_FATAL_FAILURE(act(machine, truth));
      ASSERT_LT(nth, 1'000u);
    }
  }

  static void CloseAndCheck(Machine& machine, Truth& truth) {
    machine.Close();
    machine.env.Heal();
    const absl::Status opened = machine.Open();
    ASSERT_TRUE(opened.ok()) << opened;
    ASSERT_TRUE(truth.Check(*machine.collection, /*reopened=*/true));
    ASSERT_TRUE(truth.Write(*machine.collection)) << truth.refusal();
  }

  sightline::testing::TempFolder folder_{sightline::testing::FastFolder()};
};

TEST_F(RecoveryTest, OneThatFailsAtAnyPointLeavesNoHalfBatch) {
  ASSERT_NO_FATAL_FAILURE(AtEveryStepOfARecovery(/*from_then_on=*/false, CloseAndCheck));
}

TEST_F(RecoveryTest, TheNextSucceedsWhereverTheLastHasFailed) {
  ASSERT_NO_FATAL_FAILURE(AtEveryStepOfARecovery(/*from_then_on=*/true, [](Machine& machine, Truth& truth) {
    machine.env.Heal();
    ASSERT_TRUE(truth.Write(*machine.collection)) << truth.refusal();
    EXPECT_FALSE(machine.collection->Stats().read_only);
    ASSERT_TRUE(truth.Check(*machine.collection, /*reopened=*/false));
    CloseAndCheck(machine, truth);
  }));
}

// The write fails at its n-th operation, and everything after it; some of these leave the whole batch in the log.
TEST_F(RecoveryTest, ABatchThatFailedStaysAwayWhateverIsInTheLog) {
  for (const Faults::Error error : {Faults::Error::kIo, Faults::Error::kNoSpace, Faults::Error::kShortWrite}) {
    Machine machine(absl::StrCat(folder_.path(), "/", static_cast<int>(error)));
    Truth truth(2);
    ASSERT_TRUE(machine.Open().ok());
    for (uint64_t nth = 1; nth <= 3; ++nth) {
      for (int i = 0; i < Dose(5, 100); ++i) {
        SCOPED_TRACE(absl::StrCat("error ", static_cast<int>(error), ", operation ", nth, ", write ", i));
        Faults faults = Faults::EveryChange();
        faults.error = error;
        faults.nth = nth;
        faults.from_then_on = true;
        machine.env.Inject(faults);
        while (truth.Write(*machine.collection)) continue;
        ASSERT_TRUE(truth.Check(*machine.collection, /*reopened=*/false));
        machine.env.Heal();
        ASSERT_TRUE(truth.Write(*machine.collection)) << truth.refusal();
        ASSERT_TRUE(truth.Check(*machine.collection, /*reopened=*/false));
      }
    }
    CloseAndCheck(machine, truth);
  }
}

// A write is told of a flush that failed earlier, though nothing is wrong with the disk any more.
TEST_F(RecoveryTest, AFlushThatFailedRefusesNoLaterWrite) {
  for (const Faults::Error error : {Faults::Error::kIo, Faults::Error::kNoSpace}) {
    SCOPED_TRACE(static_cast<int>(error));
    Machine machine(absl::StrCat(folder_.path(), "/", static_cast<int>(error)));
    machine.write_buffer_bytes = 64 << 10;  // a few records
    Truth truth(5);
    ASSERT_TRUE(machine.Open().ok());
    for (int round = 0; round < 3; ++round) {
      Faults faults;
      faults.create = true;
      faults.error = error;
      faults.nth = 1;
      faults.path = ".sst";
      machine.env.Inject(faults);
      while (machine.env.failed() == 0) {
        ASSERT_TRUE(truth.Write(*machine.collection)) << truth.refusal();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
      machine.env.Heal();
      // By now RocksDB has noticed.
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      ASSERT_TRUE(truth.Write(*machine.collection)) << truth.refusal();
      ASSERT_TRUE(truth.Check(*machine.collection, /*reopened=*/false));
    }
    CloseAndCheck(machine, truth);
  }
}

// One that cannot succeed must not keep readers waiting all the time.
TEST_F(RecoveryTest, IsNotTriedAllTheTime) {
  Machine machine(folder_.path());
  machine.recovery_rest = 1'000'000;
  Truth truth(6);
  ASSERT_TRUE(machine.Open().ok());
  for (int i = 0; i < kWritesBefore; ++i) ASSERT_TRUE(truth.Write(*machine.collection));
  Faults faults = Faults::EveryChange();
  faults.nth = 1;
  faults.from_then_on = true;
  faults.free_bytes = 100 << 20;
  machine.env.Inject(faults);
  ASSERT_FALSE(truth.Write(*machine.collection));
  EXPECT_GT(machine.env.failed(), 0u);
  machine.env.Inject(faults);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(truth.Write(*machine.collection));
  EXPECT_EQ(machine.env.failed(), 0u);
  // Someone has made room.
  faults.free_bytes = 200 << 20;
  machine.env.Inject(faults);
  EXPECT_FALSE(truth.Write(*machine.collection));
  EXPECT_GT(machine.env.failed(), 0u);
  ASSERT_TRUE(truth.Check(*machine.collection, /*reopened=*/false));
  CloseAndCheck(machine, truth);
}

}  // namespace
}  // namespace sightline::index
