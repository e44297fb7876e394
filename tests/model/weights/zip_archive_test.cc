#include "model/weights/zip_archive.h"

#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/torch_bytes.h"

namespace sightline::weights {
namespace {

using sightline::testing::ZipBytes;
using sightline::testing::ZipMemberBytes;
using ::testing::HasSubstr;

std::vector<ZipMemberBytes> TwoMembers() {
  return {{"archive/data.pkl", "pickle"}, {"archive/data/0", std::string(100, 'v')}};
}

TEST(ZipArchiveTest, ReadsStoredEntriesWithAndWithoutZip64) {
  for (const bool zip64 : {false, true}) {
    const std::string file = ZipBytes(TwoMembers(), {.zip64 = zip64});
    const auto entries = ReadZip(file, {});
    ASSERT_TRUE(entries.ok()) << entries.status();
    ASSERT_EQ(entries->size(), 2u);
    EXPECT_EQ((*entries)[0].name, "archive/data.pkl");
    EXPECT_EQ((*entries)[0].bytes, "pickle");
    EXPECT_EQ((*entries)[1].bytes, std::string(100, 'v'));
  }
  EXPECT_EQ(ReadZip(ZipBytes({}), {})->size(), 0u);
}

TEST(ZipArchiveTest, RefusesEveryTruncation) {
  for (const bool zip64 : {false, true}) {
    const std::string file = ZipBytes(TwoMembers(), {.zip64 = zip64});
    for (size_t size = 0; size < file.size(); ++size) {
      EXPECT_FALSE(ReadZip(absl::string_view(file).substr(0, size), {}).ok()) << size;
    }
    EXPECT_FALSE(ReadZip(file + "x", {}).ok());
  }
}

struct Lie {
  const char* name;
  std::string file;
  const char* says;
};

TEST(ZipArchiveTest, RefusesLiesWithTheReason) {
  const std::string bytes(50, 'b');
  const std::vector<Lie> lies = {
      {"deflated", ZipBytes({{.name = "a", .bytes = bytes, .method = 8}}), "compressed"},
      {"encrypted", ZipBytes({{.name = "a", .bytes = bytes, .flags = 1}}), "encrypted"},
      {"another name", ZipBytes({{.name = "a", .bytes = bytes, .directory_name = "b"}}), "another name"},
      {"larger than the file", ZipBytes({{.name = "a", .bytes = bytes, .directory_size = 1 << 30}}),
       "claims 1073741824"},
      {"2^63 bytes", ZipBytes({{.name = "a", .bytes = bytes, .directory_size = uint64_t{1} << 63}}, {.zip64 = true}),
       "claims 9223372036854775808"},
      {"2^64 - 1 bytes", ZipBytes({{.name = "a", .bytes = bytes, .directory_size = UINT64_MAX}}, {.zip64 = true}),
       "claims"},
      {"wrong checksum", ZipBytes({{.name = "a", .bytes = bytes, .crc_change = 1}}), "checksum"},
      {"twice", ZipBytes({{.name = "a", .bytes = bytes}, {.name = "a", .bytes = bytes}}), "twice"},
      {"elsewhere", ZipBytes({{.name = "a", .bytes = bytes, .offset_shift = 7}}), "does not begin"},
      {"far away", ZipBytes({{.name = "a", .bytes = bytes, .offset_shift = 1 << 30}}), "does not begin"},
      {"before the file", ZipBytes({{.name = "a", .bytes = bytes, .offset_shift = -1}}, {.zip64 = true}),
       "does not begin"},
      {"more entries than there are", ZipBytes({{.name = "a", .bytes = bytes}}, {.extra_entries = 1}), "directory"},
      {"a million entries", ZipBytes({{.name = "a", .bytes = bytes}}, {.zip64 = true, .extra_entries = 1'000'000}),
       "limit"},
      {"2^60 entries", ZipBytes({}, {.zip64 = true, .extra_entries = uint64_t{1} << 60}), "limit"},
      {"a directory elsewhere", ZipBytes(TwoMembers(), {.directory_shift = 1}), "directory"},
      {"a directory behind the end", ZipBytes(TwoMembers(), {.zip64 = true, .directory_shift = 1 << 30}), "directory"},
      {"not a zip archive", "PK\x03\x04 and nothing else, not even an end", "does not end like one"},
  };
  for (const Lie& lie : lies) {
    const auto entries = ReadZip(lie.file, {});
    ASSERT_FALSE(entries.ok()) << lie.name;
    EXPECT_EQ(entries.status().code(), absl::StatusCode::kInvalidArgument) << lie.name;
    EXPECT_THAT(std::string(entries.status().message()), HasSubstr(lie.says)) << lie.name;
  }
}

// One entry inside another: a bomb of many large entries over the same few bytes.
TEST(ZipArchiveTest, RefusesEntriesOverEachOther) {
  const std::string inner = ZipBytes({{.name = "in", .bytes = "12345"}});
  const std::string local = inner.substr(0, inner.find("PK\x01\x02"));
  ZipMemberBytes outer{.name = "out", .bytes = local};
  ZipMemberBytes second{.name = "in", .bytes = "12345"};
  // The second entry's directory record points into the first one's bytes.
  second.offset_shift = -static_cast<int64_t>(local.size());
  const auto entries = ReadZip(ZipBytes({outer, second}), {});
  ASSERT_FALSE(entries.ok());
  EXPECT_THAT(std::string(entries.status().message()), HasSubstr("over each other"));
}

TEST(ZipArchiveTest, SurvivesDamagedBytes) {
  const unsigned seed = 5;
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  for (const bool zip64 : {false, true}) {
    const std::string file = ZipBytes(TwoMembers(), {.zip64 = zip64});
    for (int i = 0; i < 20'000; ++i) {
      std::string damaged = file;
      for (unsigned changes = 1 + random() % 4; changes > 0; --changes) {
        damaged[random() % damaged.size()] = static_cast<char>(random());
      }
      const auto entries = ReadZip(damaged, {});
      if (!entries.ok()) continue;
      for (const ZipEntry& entry : *entries) EXPECT_LE(entry.bytes.size(), damaged.size());
    }
  }
}

}  // namespace
}  // namespace sightline::weights
