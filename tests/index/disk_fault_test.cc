// Disks that fail: a full one, and one that refuses to let files grow.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/index/index_fixture.h"

namespace sightline::index {
namespace {

class DiskFaultTest : public IndexTest {
 protected:
  Write LargeWrite(const std::string& id) {
    Write write = MakeWrite(id, RandomVector(random_, 8));
    write.record.image = std::string(200'000, static_cast<char>('a' + random_() % 26));
    return write;
  }

  // Writes until one write is refused; returns its status. Every id acknowledged before is in acknowledged_.
  absl::Status WriteUntilRefused() {
    for (int i = 0; i < 1000; ++i) {
      const std::string id = absl::StrCat("r", next_++);
      const auto result = collection_->Put(LargeWrite(id));
      if (!result.ok()) {
        refused_.push_back(id);
        return result.status();
      }
      acknowledged_.push_back(id);
    }
    return absl::OkStatus();
  }

  void ExpectExactlyWhatWasAcknowledged() {
    EXPECT_EQ(collection_->Stats().images, static_cast<int64_t>(acknowledged_.size()));
    for (const std::string& id : acknowledged_) {
      const auto record = collection_->Get(id, RecordView::kImage);
      ASSERT_TRUE(record.ok()) << id << ": " << record.status();
      EXPECT_EQ(record->image.size(), 200'000u);
    }
    for (const std::string& id : refused_) {
      EXPECT_TRUE(absl::IsNotFound(collection_->Get(id, RecordView::kMetadata).status())) << id;
    }
    EXPECT_EQ(Search(RandomVector(random_, 8), 10'000).size(), acknowledged_.size());
  }

  std::mt19937 random_{5};
  int next_ = 0;
  std::vector<std::string> acknowledged_;
  std::vector<std::string> refused_;
};

TEST_F(DiskFaultTest, AFullDiskRefusesWritesAndTheyGoOnWhenThereIsSpace) {
  const std::string mount = folder_.path() + "/small";
  ASSERT_TRUE(std::filesystem::create_directory(mount));
  if (::mount("tmpfs", mount.c_str(), "tmpfs", 0, "size=24m") != 0) {
    GTEST_SKIP() << "cannot mount a small tmpfs: " << std::strerror(errno);
  }
  const absl::Cleanup unmount = [&] {
    collection_.reset();
    database_.reset();
    ::umount(mount.c_str());
  };
  options_.directory = mount + "/data";
  {
    std::ofstream ballast(mount + "/ballast");
    ballast << std::string(10 << 20, 'x');
  }
  Start();
  const absl::Status full = WriteUntilRefused();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  EXPECT_EQ(base::GetErrorInfo(full).reason, "DISK_FULL");
  EXPECT_TRUE(base::GetErrorInfo(full).retry_after.has_value());
  EXPECT_TRUE(collection_->Stats().read_only);
  EXPECT_GT(acknowledged_.size(), 10u);
  const absl::Status still_full = WriteUntilRefused();
  EXPECT_EQ(still_full.code(), absl::StatusCode::kResourceExhausted) << still_full;
  ExpectExactlyWhatWasAcknowledged();

  ASSERT_TRUE(std::filesystem::remove(mount + "/ballast"));
  const auto result = collection_->Put(LargeWrite("after"));
  ASSERT_TRUE(result.ok()) << result.status();
  acknowledged_.push_back("after");
  EXPECT_FALSE(collection_->Stats().read_only);
  ExpectExactlyWhatWasAcknowledged();
  Restart();
  ExpectExactlyWhatWasAcknowledged();
}

TEST_F(DiskFaultTest, AFailedWriteLeavesNothingAndReadsGoOn) {
  Start();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 2 << 20;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status refused = WriteUntilRefused();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable) << refused;
  EXPECT_TRUE(collection_->Stats().read_only);
  EXPECT_FALSE(collection_->Stats().read_only_reason.empty());
  ExpectExactlyWhatWasAcknowledged();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  const auto result = collection_->Put(LargeWrite("after"));
  if (result.ok()) {
    acknowledged_.push_back("after");
  } else {
    refused_.push_back("after");
    EXPECT_EQ(base::GetErrorInfo(result.status()).reason, "COLLECTION_READ_ONLY") << result.status();
  }
  RecordProperty("recovered_without_restart", result.ok() ? 1 : 0);
  ExpectExactlyWhatWasAcknowledged();
  Restart();
  ExpectExactlyWhatWasAcknowledged();
  EXPECT_TRUE(collection_->Put(LargeWrite("last")).ok());
}

}  // namespace
}  // namespace sightline::index
