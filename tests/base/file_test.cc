#include "base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/temp_folder.h"

namespace sightline::base {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FileTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return temporary_.Path(name); }

  const ::sightline::testing::TempFolder temporary_;
  const std::string folder_ = temporary_.path();
};

TEST_F(FileTest, WritesAndReadsBack) {
  const std::string content("a\0b", 3);
  ASSERT_TRUE(WriteFileDurably(Path("f"), content).ok());
  EXPECT_EQ(*ReadFile(Path("f"), 3), content);
  ASSERT_TRUE(WriteFileDurably(Path("f"), "").ok());
  EXPECT_EQ(*ReadFile(Path("f"), 3), "");
  EXPECT_THAT(*ListFolder(folder_), ElementsAre("f"));
}

TEST_F(FileTest, RefusesWhatIsTooLargeMissingOrNoFile) {
  ASSERT_TRUE(WriteFileDurably(Path("f"), "12345").ok());
  const absl::Status large = ReadFile(Path("f"), 4).status();
  EXPECT_EQ(GetErrorInfo(large).reason, "FILE_TOO_LARGE");
  EXPECT_THAT(std::string(large.message()), HasSubstr("has 5 bytes; the limit is 4"));
  EXPECT_EQ(ReadFile(Path("none"), 4).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(GetErrorInfo(ReadFile(folder_, 4).status()).reason, "NOT_A_FILE");
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(GetErrorInfo(ReadFile(Path("pipe"), 4).status()).reason, "NOT_A_FILE");
}

TEST_F(FileTest, MapsWholeFilesAndEmptyOnes) {
  ASSERT_TRUE(WriteFileDurably(Path("f"), "hello").ok());
  EXPECT_EQ((*MappedFile::Open(Path("f"), 5))->bytes(), "hello");
  EXPECT_FALSE(MappedFile::Open(Path("f"), 4).ok());
  ASSERT_TRUE(WriteFileDurably(Path("e"), "").ok());
  EXPECT_TRUE((*MappedFile::Open(Path("e"), 5))->bytes().empty());
}

TEST_F(FileTest, CreatesFoldersAndRefusesAFileInTheWay) {
  EXPECT_TRUE(CreateFolders(Path("a/b/c")).ok());
  EXPECT_TRUE(CreateFolders(Path("a/b/c")).ok());
  ASSERT_TRUE(WriteFileDurably(Path("f"), "x").ok());
  EXPECT_FALSE(CreateFolders(Path("f/g")).ok());
}

TEST_F(FileTest, SecondLockIsRefusedUntilTheFirstEnds) {
  auto first = FileLock::Acquire(Path("LOCK"));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(GetErrorInfo(FileLock::Acquire(Path("LOCK")).status()).reason, "ALREADY_LOCKED");
  first->reset();
  EXPECT_TRUE(FileLock::Acquire(Path("LOCK")).ok());
}

}  // namespace
}  // namespace sightline::base
