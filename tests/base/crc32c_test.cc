#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace sightline::base {
namespace {

TEST(Crc32cTest, KnownValues) {
  // The check value of the algorithm, and the vectors of RFC 3720, section B.4.
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62A8AB43u);
  EXPECT_EQ(Crc32c(""), 0u);
}

TEST(Crc32cTest, BothVersionsAgreeAndPiecesChain) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(Crc32c(bytes), Crc32cPortable(bytes));
    const size_t cut = bytes.size() / 3;
    EXPECT_EQ(Crc32c(absl::string_view(bytes).substr(cut), Crc32c(absl::string_view(bytes).substr(0, cut))),
              Crc32c(bytes));
    bytes.push_back(static_cast<char>(i * 37));
  }
}

}  // namespace
}  // namespace sightline::base
