#include "index/filter/left_right.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "index/filter/concurrent_attribute_index.h"
#include "index/filter/filter_parser.h"

namespace sightline::index {
namespace {

TEST(LeftRightTest, ReadsWhatWasWritten) {
  LeftRight<std::map<int, int>> table(std::map<int, int>{{1, 1}});
  for (int i = 2; i < 10; ++i) {
    table.Write([i](std::map<int, int>& map) { map[i] = i; });
    EXPECT_EQ(table.Read([](const std::map<int, int>& map) { return static_cast<int>(map.size()); }), i);
  }
  table.Write([](std::map<int, int>& map) { map.clear(); },
              [](std::map<int, int>& behind, const std::map<int, int>& front) { behind = front; });
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(table.Read([](const std::map<int, int>& map) { return map.empty(); }));
    table.Write([](std::map<int, int>& /*map*/) {});
  }
}

TEST(LeftRightTest, AReaderMayReadAgain) {
  LeftRight<int> value(7);
  EXPECT_EQ(value.Read([&value](int outer) { return value.Read([outer](int inner) { return outer + inner; }); }), 14);
}

// Every value is made of equal parts; a reader that met a change half done would see unequal ones.
TEST(LeftRightTest, ReadersSeeWholeChangesInOrder) {
  constexpr int kWrites = 400;
  constexpr int kReads = 1000;
  constexpr int kParts = 50;
  LeftRight<std::vector<int>> value(std::vector<int>(kParts, 0));
  std::atomic<bool> done = false;
  std::vector<std::thread> readers;
  std::atomic<int> wrong = 0;
  std::atomic<int> reads = 0;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      int last = 0;
      while (!done.load()) {
        value.Read([&](const std::vector<int>& parts) {
          for (const int part : parts) {
            if (part != parts[0]) ++wrong;
          }
          if (parts[0] < last) ++wrong;
          last = parts[0];
        });
        ++reads;
        // A reader that loses its core inside Read holds the writer up until it gets it back.
        std::this_thread::yield();
      }
    });
  }
  int writes = 0;
  for (; writes < kWrites || reads.load() < kReads; ++writes) {
    // Memory moves too, as it does in a growing index.
    value.Write([](std::vector<int>& parts) {
      std::vector<int> next;
      for (const int part : parts) next.push_back(part + 1);
      parts = std::move(next);
    });
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(value.Read([](const std::vector<int>& parts) { return parts[0]; }), writes);
}

// Each row's attributes say the same thing three times over.
Attributes Version(int version) {
  return {{"n", int64_t{version}}, {"f", version * 0.5}, {"t", absl::StrCat("v", version)}};
}

TEST(ConcurrentAttributeIndexTest, SearchesSeeWholeChanges) {
  constexpr uint32_t kRows = 64;
  constexpr int kVersions = 100;
  constexpr int kReads = 100;
  ConcurrentAttributeIndex index;
  const auto write = [&index](int version) {
    const Attributes attributes = Version(version);
    std::vector<RowChange> changes;
    for (uint32_t row = 0; row < kRows; ++row) changes.push_back({.row = row, .attributes = &attributes});
    index.Apply(changes);
  };
  write(0);
  const Filter all = *ParseFilter("EXISTS n AND NOT t = 'x'");
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::atomic<int> reads = 0;
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      while (!done.load()) {
        index.Read([&](const AttributeIndex& now) {
          const Attributes attributes = now.AttributesOf(5);
          const int64_t version = std::get<int64_t>(attributes.at("n"));
          const Filter same =
              *ParseFilter(absl::StrCat("n = ", version, " AND f <= ", version / 2.0, " AND t IN ('v", version, "')"));
          if (attributes != Version(static_cast<int>(version))) ++wrong;
          if (now.Evaluate(same, kRows).cardinality() != kRows) ++wrong;
          if (now.Evaluate(all, kRows).cardinality() != kRows) ++wrong;
          if (now.GroupId(0, "t") != now.GroupId(kRows - 1, "t")) ++wrong;
        });
        ++reads;
        std::this_thread::yield();
      }
    });
  }
  for (int version = 1; version <= kVersions || reads.load() < kReads; ++version) write(version);
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(index.memory_bytes(), 0u);
}

// Past the number of changes at which the copies share their rows again.
TEST(ConcurrentAttributeIndexTest, BothCopiesSayTheSame) {
  AttributeIndex initial;
  for (uint32_t row = 0; row < 100; ++row) initial.Set(row, Version(static_cast<int>(row)));
  ConcurrentAttributeIndex index(std::move(initial));
  std::vector<Attributes> attributes;
  for (int i = 0; i < 2000; ++i) attributes.push_back(Version(i));
  uint32_t next = 0;
  for (int round = 0; round < 36; ++round) {
    std::vector<RowChange> changes;
    for (int i = 0; i < 2000; ++i) {
      const Attributes* const value = next % 7 == 0 ? nullptr : &attributes[next % 2000];
      changes.push_back({.row = next++ % 3001, .attributes = value});
    }
    index.Apply(changes);
    // Each write has the readers look at the other copy.
    for (int copy = 0; copy < 2; ++copy) {
      index.Read([&](const AttributeIndex& now) {
        for (uint32_t i = next - 2000; i < next; i += 13) {
          const Attributes expected = i % 7 == 0 ? Attributes() : attributes[i % 2000];
          ASSERT_EQ(now.AttributesOf(i % 3001), expected);
        }
      });
      index.Apply({});
    }
  }
}

}  // namespace
}  // namespace sightline::index
