// Write-ahead logs that end anywhere: what is recovered is exactly the records that are whole.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "index/validate.h"
#include "tests/index/durability/machine.h"
#include "tests/index/durability/truth.h"
#include "tests/support/temp_folder.h"

namespace sightline::index {
namespace {

namespace fs = std::filesystem;

constexpr int kRecords = 3;

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// A database as a kill leaves it after three writes, and where in its log each of them ends.
class TornLogTest : public ::testing::Test {
 protected:
  TornLogTest() { base::SetLogLevel(base::Severity::kOff); }

  void Prepare(bool with_tokens) {
    Machine machine(folder_.Path("machine"));
    ASSERT_TRUE(machine.Open().ok());
    const fs::path shop = fs::directory_iterator(machine.data + "/collections")->path();
    uint64_t newest = 0;
    for (const auto& entry : fs::directory_iterator(shop)) {
      if (entry.path().extension() == ".log") newest = std::max<uint64_t>(newest, std::stoull(entry.path().stem()));
    }
    for (const auto& entry : fs::directory_iterator(shop)) {
      if (entry.path().extension() == ".log" && std::stoull(entry.path().stem()) == newest) {
        log_ = fs::relative(entry.path(), machine.data).string();
      }
    }
    const std::string path = machine.data + "/" + log_;
    ends_ = {ReadWhole(path).size()};
    for (int i = 0; i < kRecords; ++i) {
      Write write = NumberedWrite(absl::StrCat("id", i), i);
      if (!with_tokens) write.record.tokens.reset();
      ASSERT_TRUE(machine.collection->Put(write).ok());
      ends_.push_back(ReadWhole(path).size());
    }
    // The database is open: it may delete a file that is no longer needed between listing and copying.
    std::error_code error = std::make_error_code(std::errc::no_such_file_or_directory);
    for (int attempt = 0; error && attempt < 10; ++attempt) {
      fs::remove_all(template_);
      fs::copy(machine.data, template_, fs::copy_options::recursive, error);
    }
    ASSERT_FALSE(error) << error.message();
    bytes_ = ReadWhole(template_ + "/" + log_);
    ASSERT_EQ(bytes_.size(), ends_.back());
    ASSERT_EQ(bytes_.find_last_not_of('\0') + 1, bytes_.size());
  }

  // Whether a database with this log opens with exactly the first `records` records.
  void Expect(const std::string& log, int records, const std::string& copy) {
    fs::remove_all(copy);
    fs::copy(template_, copy, fs::copy_options::recursive);
    std::ofstream(copy + "/" + log_, std::ios::binary | std::ios::trunc) << log;
    const auto database = Database::Open(SmallSegments(copy));
    ASSERT_TRUE(database.ok()) << database.status();
    ASSERT_TRUE((*database)->damaged().empty()) << (*database)->damaged()[0].status;
    const auto collection = (*database)->Find("shop");
    ASSERT_TRUE(collection.ok()) << collection.status();
    ASSERT_EQ((*collection)->Stats().images, records);
    for (int i = 0; i < kRecords; ++i) {
      const auto got = (*collection)->Get(absl::StrCat("id", i), RecordView::kVectors);
      if (i >= records) {
        ASSERT_TRUE(absl::IsNotFound(got.status())) << got.status();
        continue;
      }
      ASSERT_TRUE(got.ok()) << got.status();
      const Record expected = NumberedWrite(got->id, i).record;
      ASSERT_EQ(got->attributes, expected.attributes);
      ASSERT_EQ(got->descriptor, *NormalizeDescriptor(expected.descriptor, kTruthDim));
    }
  }

  // Calls `check(i, folder)` for 0 to n - 1, on two threads with a folder each.
  template <typename Check>
  void Both(size_t n, const Check& check) {
    std::atomic<size_t> next = 0;
    const auto work = [&](int thread) {
      const std::string copy = folder_.Path(absl::StrCat("copy", thread));
      for (size_t i; (i = next++) < n && !HasFailure();) check(i, copy);
    };
    std::thread other(work, 1);
    work(0);
    other.join();
  }

  sightline::testing::TempFolder folder_{sightline::testing::FastFolder()};
  const std::string template_ = folder_.Path("template");
  std::string log_;           // relative to the data folder
  std::string bytes_;         // of the whole log
  std::vector<size_t> ends_;  // of the log before the first record, after it, ...
};

TEST_F(TornLogTest, CutAtEveryByte) {
  Prepare(/*with_tokens=*/false);
  if (HasFatalFailure()) return;
  const size_t step = kSanitizerShare;
  const size_t cases = (bytes_.size() - ends_[0]) / step + 1;
  Both(cases, [&](size_t i, const std::string& copy) {
    const size_t size = ends_[0] + i * step;
    SCOPED_TRACE(absl::StrCat("cut at ", size, " of ", bytes_.size()));
    const auto whole = std::upper_bound(ends_.begin(), ends_.end(), size) - ends_.begin() - 1;
    Expect(bytes_.substr(0, size), static_cast<int>(whole), copy);
  });
  std::printf("%zu cases\n", cases);
}

// The blocks of the last record reach the disk in any order: every subset of them is there, the others are zero.
TEST_F(TornLogTest, EverySubsetOfTheLastRecordsBlocks) {
  Prepare(/*with_tokens=*/true);
  if (HasFatalFailure()) return;
  constexpr size_t kBlock = 512;
  const size_t begin = ends_[kRecords - 1];
  std::vector<std::pair<size_t, size_t>> blocks;
  for (size_t at = begin; at < bytes_.size();) {
    const size_t next = std::min((at / kBlock + 1) * kBlock, bytes_.size());
    blocks.emplace_back(at, next);
    at = next;
  }
  // More than ten: neighbours stay together.
  while (blocks.size() > 10) {
    std::vector<std::pair<size_t, size_t>> pairs;
    for (size_t i = 0; i < blocks.size(); i += 2) {
      pairs.emplace_back(blocks[i].first, blocks[std::min(i + 1, blocks.size() - 1)].second);
    }
    blocks = pairs;
  }
  const size_t subsets = size_t{1} << blocks.size();
  const size_t step = kSanitizerShare;
  Both((subsets + step - 1) / step, [&](size_t i, const std::string& copy) {
    const size_t there = i * step;
    SCOPED_TRACE(absl::StrCat("blocks ", there, " of ", subsets - 1));
    std::string log = bytes_;
    for (size_t block = 0; block < blocks.size(); ++block) {
      if ((there >> block & 1) != 0) continue;
      const auto [from, to] = blocks[block];
      std::fill(log.begin() + static_cast<std::ptrdiff_t>(from), log.begin() + static_cast<std::ptrdiff_t>(to), '\0');
    }
    Expect(log, log == bytes_ ? kRecords : kRecords - 1, copy);
  });
  std::printf("%zu blocks\n", blocks.size());
}

}  // namespace
}  // namespace sightline::index
