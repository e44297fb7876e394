#include "server/observe/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "absl/time/clock.h"

namespace sightline::server {
namespace {

TEST(ProcessTest, ShowsThisProcess) {
  const ProcessUse use = ReadProcessUse();
  EXPECT_GT(use.resident_bytes, 1 << 20);
  EXPECT_GE(use.virtual_bytes, use.resident_bytes);
  EXPECT_GE(use.threads, 1);
  EXPECT_GT(use.cpu_seconds, 0);
  EXPECT_GT(use.max_files, use.open_files);
  const double now = absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch());
  EXPECT_LT(use.start_seconds, now + 2);
  EXPECT_GT(use.start_seconds, now - 3600);
}

TEST(ProcessTest, CountsOpenFiles) {
  const int64_t before = ReadProcessUse().open_files;
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(ReadProcessUse().open_files, before + 1);
  close(fd);
  EXPECT_EQ(ReadProcessUse().open_files, before);
}

TEST(ProcessTest, ShowsTheDisk) {
  const DiskSpace disk = ReadDiskSpace("/");
  EXPECT_GT(disk.bytes, 0);
  EXPECT_LE(disk.free_bytes, disk.bytes);
  EXPECT_EQ(ReadDiskSpace("/nowhere/at/all").bytes, 0);
}

}  // namespace
}  // namespace sightline::server
