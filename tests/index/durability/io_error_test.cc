// Operations on files that fail now and then: what fails is not acknowledged and leaves nothing, searches go on, and
// the collection takes writes again once the disk does.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "tests/index/durability/machine.h"
#include "tests/index/durability/truth.h"
#include "tests/support/fault_env.h"
#include "tests/support/temp_folder.h"

namespace sightline::index {
namespace {

using sightline::testing::Faults;

struct Case {
  Faults::Error error;
  uint64_t one_in;
};

class IoErrorTest : public ::testing::TestWithParam<Case> {
 protected:
  IoErrorTest() { base::SetLogLevel(base::Severity::kOff); }
  sightline::testing::TempFolder folder_{sightline::testing::FastFolder()};
};

TEST_P(IoErrorTest, WhatFailsIsNotAcknowledgedAndLeavesNothing) {
  Machine machine(folder_.path());
  Truth truth(static_cast<unsigned>(GetParam().one_in));
  ASSERT_TRUE(machine.Open().ok());
  uint64_t failed = 0;
  int refused = 0;
  const int rounds = Dose(GetParam().one_in == 32 ? 6 : 15, 500);
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE(absl::StrCat("round ", round));
    Faults faults = Faults::EveryChange();
    faults.error = GetParam().error;
    // An empty file needs no space.
    if (GetParam().error == Faults::Error::kNoSpace) faults.create = false;
    faults.one_in = GetParam().one_in;
    faults.seed = static_cast<unsigned>(round);
    machine.env.Inject(faults);
    for (int i = 0; i < 60; ++i) refused += truth.Write(*machine.collection) ? 0 : 1;
    (void)machine.collection->Optimize({}, kToTheEnd);
    failed += machine.env.failed();
    ASSERT_TRUE(truth.Check(*machine.collection, /*reopened=*/false));
    if (round % 3 == 0) machine.Close();  // while operations still fail
    machine.env.Heal();
    if (round % 3 == 1) {
      ASSERT_TRUE(truth.WriteOnceWell(*machine.collection)) << "it did not recover: " << truth.refusal();
      ASSERT_TRUE(truth.Check(*machine.collection, /*reopened=*/false));
    }
    machine.Close();
    const absl::Status opened = machine.Open();
    ASSERT_TRUE(opened.ok()) << opened;
    ASSERT_TRUE(truth.Check(*machine.collection, /*reopened=*/true));
    ASSERT_TRUE(truth.Write(*machine.collection));
  }
  std::printf("%d operations failed, %d writes were refused\n", static_cast<int>(failed), refused);
  EXPECT_GT(failed, 0u);
}

INSTANTIATE_TEST_SUITE_P(All, IoErrorTest,
                         ::testing::Values(Case{Faults::Error::kIo, 32}, Case{Faults::Error::kIo, 128},
                                           Case{Faults::Error::kNoSpace, 32}, Case{Faults::Error::kNoSpace, 128},
                                           Case{Faults::Error::kShortWrite, 32},
                                           Case{Faults::Error::kShortWrite, 128}));

TEST(IoReadErrorTest, AReadThatFailsGivesAnErrorAndNothingWrong) {
  base::SetLogLevel(base::Severity::kOff);
  const sightline::testing::TempFolder folder(sightline::testing::FastFolder());
  Machine machine(folder.path());
  Truth truth(3);
  ASSERT_TRUE(machine.Open().ok());
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(truth.Write(*machine.collection));
  machine.Close();
  int opened_despite = 0;
  for (unsigned round = 0; round < static_cast<unsigned>(Dose(60, 2'000)); ++round) {
    SCOPED_TRACE(absl::StrCat("round ", round));
    Faults faults;
    faults.read = true;
    faults.one_in = round % 2 == 0 ? 8 : 64;
    faults.seed = round;
    machine.env.Inject(faults);
    if (machine.Open().ok()) {
      ++opened_despite;
      truth.CheckReadable(*machine.collection, absl::StatusCode::kUnavailable);
    }
    machine.Close();
    machine.env.Heal();
    ASSERT_TRUE(machine.Open().ok());
    ASSERT_TRUE(truth.Check(*machine.collection, /*reopened=*/true));
    machine.Close();
  }
  std::printf("opened %d times despite failing reads\n", opened_despite);
}

}  // namespace
}  // namespace sightline::index
