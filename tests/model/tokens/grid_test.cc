#include "model/tokens/grid.h"

#include "gtest/gtest.h"

namespace sightline::model {
namespace {

TEST(PooledGridTest, LeavesSmallGridsAlone) {
  EXPECT_EQ(PooledGrid(14, 14, 196), (GridSize{14, 14}));
  EXPECT_EQ(PooledGrid(1, 1, 196), (GridSize{1, 1}));
  EXPECT_EQ(PooledGrid(2, 98, 196), (GridSize{2, 98}));
}

TEST(PooledGridTest, KeepsTheAspect) {
  EXPECT_EQ(PooledGrid(48, 64, 196), (GridSize{12, 16}));
  EXPECT_EQ(PooledGrid(64, 64, 196), (GridSize{14, 14}));
  EXPECT_EQ(PooledGrid(64, 64, 49), (GridSize{7, 7}));
}

TEST(PooledGridTest, AlwaysFits) {
  for (int height = 1; height <= 90; height += 7) {
    for (int width = 1; width <= 90; width += 3) {
      for (const int cells : {1, 2, 49, 196}) {
        const GridSize grid = PooledGrid(height, width, cells);
        EXPECT_GE(grid.height, 1);
        EXPECT_GE(grid.width, 1);
        EXPECT_LE(grid.height, height);
        EXPECT_LE(grid.width, width);
        EXPECT_LE(grid.height * grid.width, cells);
      }
    }
  }
}

}  // namespace
}  // namespace sightline::model
