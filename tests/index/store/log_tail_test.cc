#include "index/store/log_tail.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include "base/crc32c.h"

namespace sightline::index {
namespace {

constexpr size_t kBlock = 32'768;
constexpr size_t kHeader = 7;

// A plain writer of RocksDB's log format.
void AddRecord(std::string& log, const std::string& record) {
  size_t at = 0;
  do {
    const size_t room = kBlock - log.size() % kBlock;
    if (room < kHeader) {
      log.append(room, '\0');
      continue;
    }
    const size_t size = std::min(room - kHeader, record.size() - at);
    const bool first = at == 0, last = at + size == record.size();
    const char type = first && last ? 1 : first ? 2 : last ? 4 : 3;
    const std::string covered = type + record.substr(at, size);
    const uint32_t crc = base::Crc32c(covered);
    const uint32_t masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
    for (int i = 0; i < 4; ++i) log.push_back(static_cast<char>(masked >> (8 * i)));
    log.push_back(static_cast<char>(size));
    log.push_back(static_cast<char>(size >> 8));
    log += covered;
    at += size;
    if (last) return;
  } while (true);
}

class LogTailTest : public ::testing::TestWithParam<unsigned> {
 protected:
  // No zeros, which could look like a hole.
  std::string RandomBytes(size_t size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(1 + random_() % 255);
    return bytes;
  }

  // Records of sizes around those of headers, sectors and blocks.
  void Write(int records) {
    for (int i = 0; i < records; ++i) {
      starts_.push_back(log_.size());
      constexpr std::array<size_t, 9> kSizes = {1, 7, 500, 600, 4'000, 32'754, 32'761, 32'768, 100'000};
      AddRecord(log_, RandomBytes(kSizes[random_() % kSizes.size()] + random_() % 3));
    }
    starts_.push_back(log_.size());
  }

  std::mt19937 random_{GetParam()};
  std::string log_;
  std::vector<size_t> starts_;  // of each record, and the end
};

TEST_P(LogTailTest, AWholeLogIsLeftAlone) {
  EXPECT_EQ(EndBeforeHoles("", true), std::nullopt);
  Write(8);
  EXPECT_EQ(EndBeforeHoles(log_, true), std::nullopt);
  EXPECT_EQ(EndBeforeHoles(log_, false), std::nullopt);
}

TEST_P(LogTailTest, AHoleInTheLastRecordCutsThatRecord) {
  Write(5);
  for (int i = 0; i < 200; ++i) {
    std::string log = log_;
    const size_t begin = starts_[4];
    // Whole sectors, or the parts of them that belong to the record.
    size_t from = begin + random_() % (log.size() - begin);
    from = std::max(begin, from / 512 * 512);
    const size_t to = std::min(log.size(), (from / 512 + 1 + random_() % 8) * 512);
    std::fill(log.begin() + static_cast<std::ptrdiff_t>(from), log.begin() + static_cast<std::ptrdiff_t>(to), '\0');
    if (to - from < kHeader) continue;
    const auto end = EndBeforeHoles(log, true);
    ASSERT_TRUE(end.has_value()) << from << " " << to;
    // The end of a block that has no room for a header belongs to nothing.
    EXPECT_LE(*end, begin);
    EXPECT_GT(*end + kHeader, begin);
  }
}

TEST_P(LogTailTest, AHoleBeforeSoundRecordsIsDamage) {
  Write(5);
  for (size_t record = 0; record + 1 < 5; ++record) {
    std::string log = log_;
    if (starts_[record + 1] - starts_[record] < 2 * 512) continue;
    const size_t from = (starts_[record] / 512 + 1) * 512;
    std::fill_n(log.begin() + static_cast<std::ptrdiff_t>(from), std::min<size_t>(512, starts_[record + 1] - from),
                '\0');
    EXPECT_EQ(EndBeforeHoles(log, true), std::nullopt);
    // A manifest gets several records with one sync.
    EXPECT_TRUE(EndBeforeHoles(log, false).has_value());
  }
}

TEST_P(LogTailTest, AFlippedBitIsDamage) {
  Write(6);
  for (int i = 0; i < 300; ++i) {
    std::string log = log_;
    log[random_() % log.size()] ^= static_cast<char>(1 << random_() % 8);
    EXPECT_EQ(EndBeforeHoles(log, true), std::nullopt);
    EXPECT_EQ(EndBeforeHoles(log, false), std::nullopt);
  }
}

std::string LastBlock(const std::string& log) { return log.substr(log.size() / kBlock * kBlock); }

// Where each fragment of a block begins.
std::vector<size_t> Fragments(const std::string& block) {
  std::vector<size_t> starts;
  for (size_t at = 0; at + kHeader <= block.size();) {
    starts.push_back(at);
    at += kHeader + static_cast<unsigned char>(block[at + 4]) + 256 * static_cast<unsigned char>(block[at + 5]);
  }
  return starts;
}

TEST_P(LogTailTest, ASizeThatReachesBehindTheEndIsFound) {
  int found = 0;
  for (int records = 1; records < 12; ++records) {
    Write(1);
    const std::string block = LastBlock(log_);
    EXPECT_EQ(HiddenRecord(block), std::nullopt);
    for (const size_t at : Fragments(block)) {
      for (size_t bit = 0; bit < 16; ++bit) {
        std::string damaged = block;
        damaged[at + 4 + bit / 8] ^= static_cast<char>(1 << bit % 8);
        const size_t size =
            static_cast<unsigned char>(damaged[at + 4]) + size_t{256} * static_cast<unsigned char>(damaged[at + 5]);
        const bool behind = at + kHeader + size > block.size();
        found += behind ? 1 : 0;
        EXPECT_EQ(HiddenRecord(damaged), behind ? std::optional(at) : std::nullopt) << at << " " << bit;
      }
    }
  }
  EXPECT_GT(found, 0);
}

TEST_P(LogTailTest, ARecordThatIsCutOffHidesNothing) {
  Write(6);
  for (int i = 0; i < 200; ++i) {
    const size_t cut = starts_[4] + random_() % (log_.size() - starts_[4]);
    EXPECT_EQ(HiddenRecord(LastBlock(log_.substr(0, cut))), std::nullopt) << cut;
  }
}

TEST_P(LogTailTest, AnythingIsRead) {
  for (int i = 0; i < 200; ++i) {
    std::string bytes = RandomBytes(random_() % 70'000);
    for (char& byte : bytes) byte = random_() % 4 == 0 ? '\0' : byte;
    const auto end = EndBeforeHoles(bytes, i % 2 == 0);
    EXPECT_LE(end.value_or(0), bytes.size());
    EXPECT_EQ(HiddenRecord(LastBlock(bytes)), std::nullopt);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, LogTailTest, ::testing::Range(0u, 8u));

}  // namespace
}  // namespace sightline::index
