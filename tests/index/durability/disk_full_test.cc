// A disk that fills: writes are refused with RESOURCE_EXHAUSTED, reads and searches go on, and writes do as soon as
// there is space, without a restart. A small real one, and one that is full just while something large is written.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "tests/index/durability/machine.h"
#include "tests/index/durability/truth.h"
#include "tests/support/fault_env.h"
#include "tests/support/temp_folder.h"

namespace sightline::index {
namespace {

using sightline::testing::Faults;

class DiskFullTest : public ::testing::Test {
 protected:
  DiskFullTest() { base::SetLogLevel(base::Severity::kOff); }
  sightline::testing::TempFolder folder_{sightline::testing::FastFolder()};
};

TEST_F(DiskFullTest, ASmallDisk) {
  const std::string mount = folder_.Path("small");
  ASSERT_TRUE(std::filesystem::create_directory(mount));
  if (::mount("tmpfs", mount.c_str(), "tmpfs", 0, "size=10m") != 0) {
    GTEST_SKIP() << "cannot mount a small tmpfs: " << std::strerror(errno);
  }
  const absl::Cleanup unmount = [&] { ::umount2(mount.c_str(), MNT_DETACH); };
  Truth truth(4);
  auto database = Database::Open(SmallSegments(mount + "/data"));
  ASSERT_TRUE(database.ok()) << database.status();
  auto collection = (*database)->Create(TruthConfig("shop"));
  ASSERT_TRUE(collection.ok()) << collection.status();
  int rounds = 0;
  // As long as the records themselves leave room for a round.
  for (; rounds < 3 && std::filesystem::space(mount).available > 3'000'000; ++rounds) {
    SCOPED_TRACE(absl::StrCat("round ", rounds));
    const std::string ballast = mount + "/ballast";
    // All that is left but a little.
    const uint64_t free = std::filesystem::space(mount).available;
    std::ofstream(ballast) << std::string(free - 300'000, 'x');
    int written = 0;
    while (written < 5'000 && truth.Write(**collection)) ++written;
    ASSERT_LT(written, 5'000) << "the disk does not fill";
    for (int i = 0; i < 5; ++i) {
      const absl::Status refused = (*collection)->Put(NumberedWrite("refused", 1'000'000)).status();
      if (refused.ok()) {
        // A small write may still fit.
        const std::array<std::string, 1> ids = {"refused"};
        (void)(*collection)->Delete(ids);
        continue;
      }
      EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
      EXPECT_TRUE(base::GetErrorInfo(refused).retry_after.has_value());
    }
    (void)(*collection)->Optimize({}, kToTheEnd);
    (void)(*database)->CreateSnapshot("shop", kToTheEnd);
    if (!(*collection)->Get("refused", RecordView::kMetadata).ok()) {
      ASSERT_TRUE(truth.Check(**collection, /*reopened=*/false));
    }
    std::filesystem::remove(ballast);
    ASSERT_TRUE(truth.WriteOnceWell(**collection)) << "no write within 30 seconds of space: " << truth.refusal();
    EXPECT_FALSE((*collection)->Stats().read_only);
    const std::array<std::string, 1> ids = {"refused"};
    ASSERT_TRUE((*collection)->Delete(ids).ok());
    ASSERT_TRUE(truth.Check(**collection, /*reopened=*/false));
  }
  EXPECT_GT(rounds, 0);
  collection->reset();
  database->reset();
  database = Database::Open(SmallSegments(mount + "/data"));
  ASSERT_TRUE(database.ok()) << database.status();
  collection = (*database)->Find("shop");
  ASSERT_TRUE(collection.ok()) << collection.status();
  ASSERT_TRUE(truth.Check(**collection, /*reopened=*/true));
  collection->reset();
  database->reset();
}

enum class During { kWrites, kSeal, kRebuild, kSnapshot };

class DiskFullDuringTest : public ::testing::TestWithParam<During> {
 protected:
  DiskFullDuringTest() { base::SetLogLevel(base::Severity::kOff); }

  absl::Status Act(Machine& machine, Truth& truth) {
    switch (GetParam()) {
      case During::kWrites:
        for (int i = 0; i < 20; ++i) truth.Write(*machine.collection);
        return absl::OkStatus();
      case During::kSeal:
      case During::kRebuild: return machine.collection->Optimize({}, kToTheEnd);
      case During::kSnapshot: return machine.database->CreateSnapshot("shop", kToTheEnd).status();
    }
    return absl::OkStatus();
  }

  sightline::testing::TempFolder folder_{sightline::testing::FastFolder()};
};

// Full from the first, second, ... operation of what is going on; a sanitizer's build does some of them.
TEST_P(DiskFullDuringTest, LeavesWhatThereWasAndGoesOnLater) {
  Machine machine(folder_.path());
  Truth truth(static_cast<unsigned>(GetParam()));
  ASSERT_TRUE(machine.Open().ok());
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(truth.Write(*machine.collection));
  uint64_t failed = 0;
  for (uint64_t from = 1; from <= 12; from += kSanitizerShare) {
    SCOPED_TRACE(absl::StrCat("from operation ", from));
    // Kills rows, for a rebuild has to have something to do.
    const int writes = GetParam() == During::kRebuild ? 60 : 5;
    for (int i = 0; i < writes; ++i) ASSERT_TRUE(truth.Write(*machine.collection));
    Faults full;
    full.append = full.create = true;
    full.error = Faults::Error::kNoSpace;
    full.nth = from;
    full.from_then_on = true;
    machine.env.Inject(full);
    const absl::Status acted = Act(machine, truth);
    EXPECT_TRUE(acted.ok() || absl::IsResourceExhausted(acted)) << acted;
    failed += machine.env.failed();
    ASSERT_TRUE(truth.Check(*machine.collection, /*reopened=*/false));
    machine.env.Heal();
    ASSERT_TRUE(truth.WriteOnceWell(*machine.collection)) << "no write within 30 seconds of space: " << truth.refusal();
    const absl::Status again = Act(machine, truth);
    EXPECT_TRUE(again.ok()) << again;
    ASSERT_TRUE(truth.Check(*machine.collection, /*reopened=*/false));
    machine.Close();
    ASSERT_TRUE(machine.Open().ok());
    ASSERT_TRUE(truth.Check(*machine.collection, /*reopened=*/true));
  }
  EXPECT_GT(failed, 0u);
}

INSTANTIATE_TEST_SUITE_P(All, DiskFullDuringTest,
                         ::testing::Values(During::kWrites, During::kSeal, During::kRebuild, During::kSnapshot));

}  // namespace
}  // namespace sightline::index
