#include "index/store/files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/status.h"
#include "tests/support/temp_folder.h"

namespace sightline::index {
namespace {

class FilesTest : public ::testing::Test {
 protected:
  void Write(const std::string& path, const std::vector<std::string>& pieces) {
    auto sink = files_.Create(path);
    ASSERT_TRUE(sink.ok()) << sink.status();
    for (const std::string& piece : pieces) ASSERT_TRUE((*sink)->Append(piece).ok());
    const absl::Status finished = (*sink)->Finish();
    ASSERT_TRUE(finished.ok()) << finished;
  }

  std::string ReadAll(const std::string& path) {
    auto reader = files_.Open(path);
    EXPECT_TRUE(reader.ok()) << reader.status();
    if (!reader.ok()) return "";
    std::string bytes(static_cast<size_t>((*reader)->size()), '\0');
    EXPECT_TRUE((*reader)->Read(0, bytes.size(), bytes.data()).ok());
    return bytes;
  }

  sightline::testing::TempFolder folder_;
  const Files files_;
  const std::string path_ = folder_.Path("file");
};

TEST_F(FilesTest, WhatIsWrittenIsRead) {
  Write(path_, {"abc", "", std::string(1 << 20, 'x'), "z"});
  EXPECT_EQ(ReadAll(path_), "abc" + std::string(1 << 20, 'x') + "z");
  Write(path_, {});
  EXPECT_EQ(ReadAll(path_), "");
}

TEST_F(FilesTest, ReadsAnyRangeInsideAndNoneBeyond) {
  Write(path_, {"0123456789"});
  const auto reader = files_.Open(path_);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->size(), 10);
  for (int64_t offset = 0; offset <= 12; ++offset) {
    for (size_t n = 0; n <= 12; ++n) {
      std::string out(n, '?');
      const absl::Status read = (*reader)->Read(offset, n, out.data());
      if (offset + static_cast<int64_t>(n) <= 10) {
        ASSERT_TRUE(read.ok()) << read;
        EXPECT_EQ(out, std::string("0123456789").substr(static_cast<size_t>(offset), n));
      } else {
        EXPECT_TRUE(absl::IsDataLoss(read)) << offset << " " << n;
      }
    }
  }
  char out = 0;
  EXPECT_TRUE(absl::IsDataLoss((*reader)->Read(-1, 1, &out)));
  EXPECT_TRUE(absl::IsDataLoss((*reader)->Read(0, SIZE_MAX, &out)));
}

TEST_F(FilesTest, AFileCutShortWhileOpenIsDamage) {
  Write(path_, {"0123456789"});
  const auto reader = files_.Open(path_);
  ASSERT_TRUE(reader.ok()) << reader.status();
  std::filesystem::resize_file(path_, 4);
  std::string out(10, '?');
  EXPECT_TRUE(absl::IsDataLoss((*reader)->Read(0, 10, out.data())));
}

TEST_F(FilesTest, AnUnfinishedFileLeavesNothingAndReplacesNothing) {
  Write(path_, {"old"});
  {
    const auto sink = files_.Create(path_);
    ASSERT_TRUE(sink.ok()) << sink.status();
    ASSERT_TRUE((*sink)->Append("new").ok());
    EXPECT_EQ((*sink)->size(), 3);
    EXPECT_EQ(ReadAll(path_), "old");
  }
  EXPECT_EQ(ReadAll(path_), "old");
  EXPECT_EQ(*files_.List(folder_.path()), std::vector<std::string>({"file"}));
}

TEST_F(FilesTest, Folders) {
  const std::string inner = folder_.Path("inner");
  EXPECT_TRUE(files_.List(inner)->empty());
  ASSERT_TRUE(files_.CreateFolder(inner).ok());
  ASSERT_TRUE(files_.CreateFolder(inner).ok());
  Write(inner + "/b", {"b"});
  Write(inner + "/a", {"a"});
  EXPECT_EQ(*files_.List(inner), std::vector<std::string>({"a", "b"}));
  EXPECT_TRUE(files_.Remove(inner + "/a").ok());
  EXPECT_TRUE(files_.Remove(inner + "/a").ok());
  EXPECT_EQ(*files_.List(inner), std::vector<std::string>({"b"}));
}

TEST_F(FilesTest, MissingFilesAndFoldersAreNamed) {
  const absl::Status opened = files_.Open(path_).status();
  EXPECT_TRUE(absl::IsNotFound(opened)) << opened;
  EXPECT_NE(opened.message().find(path_), absl::string_view::npos) << opened;
  EXPECT_FALSE(files_.Create(folder_.Path("no/such")).ok());
  EXPECT_FALSE(files_.CreateFolder(folder_.Path("no/such")).ok());
}

}  // namespace
}  // namespace sightline::index
