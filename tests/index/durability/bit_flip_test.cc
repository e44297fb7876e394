// Bit rot: one flipped bit anywhere in the files of a closed database. It opens, or sets the collection aside with a
// sentence; what it gives is right, or an error.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "tests/index/durability/machine.h"
#include "tests/index/durability/truth.h"
#include "tests/support/seed.h"
#include "tests/support/temp_folder.h"

namespace sightline::index {
namespace {

namespace fs = std::filesystem;

void Flip(const std::string& path, uint64_t byte, int bit) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(byte));
  const char flipped = static_cast<char>(file.get() ^ (1 << bit));
  file.seekp(static_cast<std::streamoff>(byte));
  file.put(flipped);
}

// "sst", "log", "MANIFEST" and so on.
std::string KindOf(const fs::path& path) {
  if (path.has_extension()) return path.extension().string().substr(1);
  const std::string name = path.filename().string();
  return name.substr(0, name.find('-'));
}

class BitFlipTest : public ::testing::Test {
 protected:
  BitFlipTest() { base::SetLogLevel(base::Severity::kOff); }

  // A database with table, blob and, unless `flushed`, log files, and two starts behind it.
  void Prepare(bool flushed) {
    Machine machine(folder_.Path("machine"));
    for (int start = 0; start < 2; ++start) {
      ASSERT_TRUE(machine.Open().ok());
      for (int i = 0; i < 150; ++i) ASSERT_TRUE(truth_.Write(*machine.collection));
      ASSERT_TRUE(machine.collection->Optimize({}, kToTheEnd).ok());
      if (start == 0) machine.Close();
    }
    if (flushed) machine.Close();
    fs::copy(machine.data, template_, fs::copy_options::recursive);
  }

  // Flips one bit of `file` in a copy, opens it, and compares what can be read. What became of it.
  std::string Try(const std::string& file, uint64_t byte, int bit) {
    const std::string copy = folder_.Path("copy");
    fs::remove_all(copy);
    fs::copy(template_, copy, fs::copy_options::recursive);
    Flip(copy + "/" + file, byte, bit);
    const auto database = Database::Open(SmallSegments(copy));
    if (!database.ok()) {
      EXPECT_FALSE(database.status().message().empty());
      return "refused";
    }
    if (const auto damaged = (*database)->damaged(); !damaged.empty()) {
      EXPECT_FALSE(damaged[0].status.message().empty());
      return "set aside";
    }
    const auto collection = (*database)->Find("shop");
    if (!collection.ok()) {
      ADD_FAILURE() << "the collection is gone without a word: " << collection.status();
      return "lost";
    }
    const int64_t unreadable = truth_.CheckReadable(**collection, absl::StatusCode::kDataLoss);
    SearchQuery query;
    const Record record = NumberedWrite("", 0).record;
    query.descriptor = record.descriptor;
    query.top_k = 100;
    const auto outcome = (*collection)->Search(query);
    EXPECT_TRUE(outcome.ok() || absl::IsDataLoss(outcome.status())) << outcome.status();
    return unreadable == 0 ? "harmless" : "partly readable";
  }

  // The highest bit of the size of records in the last block of the newest logs: RocksDB takes such a record for one
  // that was never written to its end, and drops it and all behind it without a word.
  void FlipSizes(const std::string& kind) {
    int flips = 0;
    for (const auto& entry : fs::recursive_directory_iterator(template_)) {
      if (!entry.is_regular_file() || KindOf(entry.path()) != kind) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string log{std::istreambuf_iterator<char>(file), {}};
      const std::string name = fs::relative(entry.path(), template_).string();
      constexpr size_t kBlock = 32'768, kHeader = 7;
      std::vector<size_t> records;
      for (size_t at = log.size() / kBlock * kBlock; at + kHeader <= log.size();) {
        records.push_back(at);
        at += kHeader + static_cast<unsigned char>(log[at + 4]) + 256 * static_cast<unsigned char>(log[at + 5]);
      }
      const size_t step = std::max<size_t>(1, records.size() / 5);
      for (size_t i = 0; i < records.size(); i += step) {
        SCOPED_TRACE(absl::StrCat("the record at ", records[i], " of ", log.size(), " of ", name));
        EXPECT_EQ(Try(name, records[i] + 5, 7), "set aside");
        ++flips;
      }
    }
    EXPECT_GT(flips, 0) << "there is no " << kind;
  }

  void FlipEverywhere(int flips) {
    std::vector<std::pair<std::string, uint64_t>> files;  // and sizes
    for (const auto& entry : fs::recursive_directory_iterator(template_)) {
      const std::string name = entry.path().filename().string();
      // RocksDB's own diary; nothing reads it.
      if (!entry.is_regular_file() || entry.file_size() == 0 || absl::StartsWith(name, "LOG")) continue;
      files.emplace_back(fs::relative(entry.path(), template_).string(), entry.file_size());
    }
    std::sort(files.begin(), files.end());
    const unsigned seed = sightline::testing::Seed();
    std::mt19937_64 random(seed);
    std::map<std::string, std::map<std::string, int>> became;
    for (int i = 0; i < flips && !HasFailure(); ++i) {
      // By file, not by byte: most bytes are tokens.
      const auto& [file, size] = files[static_cast<size_t>(i) % files.size()];
      const uint64_t byte = random() % size;
      const int bit = static_cast<int>(random() % 8);
      SCOPED_TRACE(absl::StrCat("seed ", seed, ": bit ", bit, " of byte ", byte, " of ", size, " of ", file));
      ++became[KindOf(file)][Try(file, byte, bit)];
    }
    for (const auto& [kind, counts] : became) {
      for (const auto& [what, count] : counts) std::printf("%-10s %-16s %d\n", kind.c_str(), what.c_str(), count);
    }
  }

  sightline::testing::TempFolder folder_{sightline::testing::FastFolder()};
  const std::string template_ = folder_.Path("template");
  Truth truth_{1};
};

TEST_F(BitFlipTest, OfTheSizesInAManifest) {
  Prepare(/*flushed=*/true);
  if (!HasFailure()) FlipSizes("MANIFEST");
}

TEST_F(BitFlipTest, OfTheSizesInAWriteAheadLog) {
  Prepare(/*flushed=*/false);
  if (!HasFailure()) FlipSizes("log");
}

TEST_F(BitFlipTest, AfterAnOrderlyStop) {
  Prepare(/*flushed=*/true);
  if (!HasFailure()) FlipEverywhere(Dose(300, 7'000));
}

TEST_F(BitFlipTest, AfterAKill) {
  Prepare(/*flushed=*/false);
  if (!HasFailure()) FlipEverywhere(Dose(200, 3'000));
}

}  // namespace
}  // namespace sightline::index
