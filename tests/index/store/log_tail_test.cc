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
  bool first = true;
  do {
    const size_t room = kBlock - log.size() % kBlock;
    if (room < kHeader) {
      log.append(room, '\0');
      continue;
    }
    const size_t size = std::min(room - kHeader, record.size() - at);
    const bool last = at + size == record.size();
    const char type = first && last ? 1 : first ? 2 : last ? 4 : 3;
    const std::string covered = type + record.substr(at, size);
    const uint32_t crc = base::Crc32c(covered);
    const uint32_t masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
    for (int i = 0; i < 4; ++i) log.push_back(static_cast<char>(masked >> (8 * i)));
    log.push_back(static_cast<char>(size));
    log.push_back(static_cast<char>(size >> 8));
    log += covered;
    at += size;
    first = false;
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

  TornEnd Mend(const std::string& log, bool one_batch) {
    mended_ = log;
    return MendTornEnd(mended_, one_batch);
  }

  // The last record begins at `begin`, and [from, to) of it did not reach the disk.
  void ExpectHoleIsMended(size_t begin, size_t from, size_t to) {
    ASSERT_LT(from, to);
    SCOPED_TRACE(::testing::Message() << "record " << begin << ", hole " << from << " to " << to << " of "
                                      << log_.size());
    std::string torn = log_;
    std::fill(torn.begin() + static_cast<std::ptrdiff_t>(from), torn.begin() + static_cast<std::ptrdiff_t>(to), '\0');
    const TornEnd mended = Mend(torn, true);
    if (mended == TornEnd::kFilled) {
      EXPECT_TRUE(mended_ == log_);
      return;
    }
    EXPECT_EQ(mended, TornEnd::kCut);
    EXPECT_LE(mended_.size(), begin);
    EXPECT_GT(mended_.size() + kHeader, begin);
    EXPECT_TRUE(mended_ == log_.substr(0, mended_.size()));
  }

  std::mt19937 random_{GetParam()};
  std::string mended_;
  std::string log_;
  std::vector<size_t> starts_;  // of each record, and the end
};

TEST_P(LogTailTest, AWholeLogIsLeftAlone) {
  EXPECT_EQ(Mend("", true), TornEnd::kNone);
  Write(8);
  EXPECT_EQ(Mend(log_, true), TornEnd::kNone);
  EXPECT_EQ(Mend(log_, false), TornEnd::kNone);
  EXPECT_TRUE(mended_ == log_);
}

TEST_P(LogTailTest, AHoleInTheLastRecordCutsItOrIsFilled) {
  for (int i = 0; i < 60; ++i) {
    log_.clear();
    starts_.clear();
    Write(2 + i % 4);
    size_t begin = starts_[starts_.size() - 2];
    // The end of a block that has no room for a header belongs to nothing.
    if (kBlock - begin % kBlock < kHeader) begin += kBlock - begin % kBlock;
    // Whole sectors, or the parts of them that belong to the record; often the first or the last.
    size_t from = begin + (i % 3 == 0 ? 0 : i % 3 == 1 ? log_.size() - begin - 1 : random_() % (log_.size() - begin));
    from = std::max(begin, from / 512 * 512);
    const size_t to = std::min(log_.size(), (from / 512 + 1 + (i % 2 == 0 ? 0 : random_() % 8)) * 512);
    ExpectHoleIsMended(begin, from, to);
  }
}

// Every size that a hole at a side of a record can have, and every place of its header.
TEST_P(LogTailTest, AHoleAtASideCutsTheRecordOrIsFilled) {
  for (size_t size = 1; size <= 12; ++size) {
    for (const size_t length : {size_t{1}, size_t{5}, size_t{600}, 40'000 + random_() % 600}) {
      // The first sector ends after `size` bytes of the record.
      log_.clear();
      AddRecord(log_, RandomBytes(3 * 512 - size - kHeader));
      size_t begin = log_.size();
      AddRecord(log_, RandomBytes(length));
      ExpectHoleIsMended(begin, begin, std::min(begin + size, log_.size()));
      EXPECT_EQ(mended_ == log_, size <= 2) << "the checksum tells of two bytes what they were";
      // The last sector begins with its last `size` bytes.
      log_.clear();
      AddRecord(log_, RandomBytes(100));
      begin = log_.size();
      AddRecord(log_, RandomBytes(4 * 512 + size - begin - kHeader));
      ASSERT_EQ(log_.size() % 512, size);
      ExpectHoleIsMended(begin, log_.size() - size, log_.size());
      EXPECT_EQ(mended_ == log_, size <= 2);
    }
  }
}

// A few zeros at a side are nothing unusual: damage elsewhere in such a record is no hole.
TEST_P(LogTailTest, DamageBesideAFewZerosIsDamage) {
  for (size_t size = 1; size <= 2; ++size) {
    for (int i = 0; i < 100; ++i) {
      log_.clear();
      AddRecord(log_, RandomBytes(100));
      const size_t begin = log_.size();
      AddRecord(log_, RandomBytes(4 * 512 - begin - kHeader) + std::string(size, '\0'));
      std::string log = log_;
      for (int flips = 0; flips < 2 + i % 5; ++flips) {
        char& byte = log[begin + 7 * (flips + 1) + random_() % 7];
        byte = static_cast<char>(byte ^ 1 << random_() % 8);
      }
      EXPECT_EQ(Mend(log, true), TornEnd::kNone);
    }
  }
}

// What is one bit and zeros looks like a flipped bit when it is lost; it is known either way.
TEST_P(LogTailTest, AHoleThatTookOneBitIsFilled) {
  for (size_t size = 1; size <= 512; size += 1 + random_() % 60) {
    log_.clear();
    AddRecord(log_, RandomBytes(100));
    const size_t begin = log_.size();
    std::string record = RandomBytes(4 * 512 - begin - kHeader) + std::string(size, '\0');
    record[record.size() - 1 - random_() % size] = static_cast<char>(1 << random_() % 8);
    AddRecord(log_, record);
    std::string torn = log_;
    std::fill(torn.end() - static_cast<std::ptrdiff_t>(size), torn.end(), '\0');
    EXPECT_EQ(Mend(torn, true), TornEnd::kFilled) << size;
    EXPECT_TRUE(mended_ == log_);
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
    EXPECT_EQ(Mend(log, true), TornEnd::kNone);
    // A manifest gets several records with one sync.
    EXPECT_NE(Mend(log, false), TornEnd::kNone);
  }
}

TEST_P(LogTailTest, AFlippedBitIsDamage) {
  Write(6);
  for (int i = 0; i < 300; ++i) {
    std::string log = log_;
    log[random_() % log.size()] ^= static_cast<char>(1 << random_() % 8);
    EXPECT_EQ(Mend(log, true), TornEnd::kNone);
    EXPECT_EQ(Mend(log, false), TornEnd::kNone);
  }
}

// A record that is mostly zeros is nothing unusual; a flipped bit in it must not cost it.
TEST_P(LogTailTest, AFlippedBitBesideZerosIsDamageOrPutRight) {
  for (int i = 0; i < 100; ++i) {
    log_.clear();
    starts_.clear();
    Write(1);
    std::string record(1'000 + random_() % 3'000, '\0');
    for (int byte = 0; byte < 5; ++byte) record[random_() % record.size()] = static_cast<char>(1 + random_() % 255);
    AddRecord(log_, record);
    std::string log = log_;
    const size_t bit = 8 * starts_[1] + random_() % (8 * (log.size() - starts_[1]));
    log[bit / 8] = static_cast<char>(log[bit / 8] ^ 1 << bit % 8);
    const TornEnd mended = Mend(log, i % 2 == 0);
    EXPECT_NE(mended, TornEnd::kCut) << bit - 8 * starts_[1];
    if (mended == TornEnd::kFilled) {
      EXPECT_TRUE(mended_ == log_);
    }
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
    const TornEnd mended = Mend(bytes, i % 2 == 0);
    EXPECT_LE(mended_.size(), bytes.size());
    if (mended != TornEnd::kCut) {
      EXPECT_EQ(mended_.size(), bytes.size());
    }
    EXPECT_EQ(HiddenRecord(LastBlock(bytes)), std::nullopt);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, LogTailTest, ::testing::Range(0u, 4u));

}  // namespace
}  // namespace sightline::index
