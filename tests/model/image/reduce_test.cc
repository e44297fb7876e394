#include "model/image/reduce.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tests/model/image/make_image.h"

namespace sightline::image {
namespace {

TEST(ReductionForTest, LeavesTwiceTheWantedSide) {
  EXPECT_EQ(ReductionFor(4000, 3000, 0), 1);
  EXPECT_EQ(ReductionFor(4000, 3000, 448), 4);
  EXPECT_EQ(ReductionFor(3000, 4000, 448), 4);
  EXPECT_EQ(ReductionFor(1792, 10, 448), 2);
  EXPECT_EQ(ReductionFor(1791, 10, 448), 1);
  EXPECT_EQ(ReductionFor(16384, 16384, 1), 8);
}

TEST(RowReducerTest, AveragesBlocksAndTheirRemains) {
  constexpr int kWidth = 11;
  constexpr int kHeight = 6;
  const Image image = Noise(kWidth, kHeight, 4);
  for (int divisor : {1, 2, 4, 8}) {
    const int width = ReducedSide(kWidth, divisor);
    const int height = ReducedSide(kHeight, divisor);
    std::vector<uint8_t> reduced(size_t{3} * width * height);
    RowReducer reducer(kWidth, kHeight, divisor, reduced.data());
    for (int y = 0; y < kHeight; ++y) reducer.Add(&image.rgb[y * kWidth * 3]);
    ASSERT_EQ(width, (kWidth + divisor - 1) / divisor);
    ASSERT_EQ(height, (kHeight + divisor - 1) / divisor);
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        int sum = 0;
        int count = 0;
        for (int v = y * divisor; v < std::min((y + 1) * divisor, kHeight); ++v) {
          for (int u = x * divisor; u < std::min((x + 1) * divisor, kWidth); ++u, ++count) {
            sum += image.rgb[(v * kWidth + u) * 3 + 1];
          }
        }
        EXPECT_EQ(reduced[(y * width + x) * 3 + 1], (sum + count / 2) / count);
      }
    }
  }
}

}  // namespace
}  // namespace sightline::image
