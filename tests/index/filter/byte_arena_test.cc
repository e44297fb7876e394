#include "index/filter/byte_arena.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace sightline::index {
namespace {

TEST(ByteArenaTest, CopiesShareAndGoTheirOwnWays) {
  ByteArena arena;
  std::vector<std::pair<absl::string_view, std::string>> texts;
  const auto append = [&texts](ByteArena& to, const std::string& text) { texts.emplace_back(to.Append(text), text); };
  for (int i = 0; i < 3000; ++i) append(arena, std::string(static_cast<size_t>(i % 300), 'a'));
  append(arena, std::string(1 << 20, 'b'));
  const size_t alone = arena.memory_bytes();
  ByteArena copy = arena;
  EXPECT_LE(arena.memory_bytes() + copy.memory_bytes(), alone);
  EXPECT_EQ(copy.used(), arena.used());
  for (int i = 0; i < 1000; ++i) {
    append(arena, "original");
    append(copy, "copied");
  }
  ByteArena assigned;
  append(assigned, "forgotten");
  texts.pop_back();
  assigned = copy;
  append(assigned, "assigned");
  append(copy, "copied again");
  EXPECT_TRUE(arena.Append("").empty());
  for (const auto& [kept, text] : texts) ASSERT_EQ(kept, text);
}

}  // namespace
}  // namespace sightline::index
