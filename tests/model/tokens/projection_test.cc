#include "model/tokens/projection.h"

#include "gtest/gtest.h"

namespace sightline::model {
namespace {

TEST(OrthonormalProjectionTest, ColumnsAreOrthonormal) {
  constexpr int kRows = 96, kColumns = 40;
  const std::vector<float> p = OrthonormalProjection(kRows, kColumns, 3);
  for (int a = 0; a < kColumns; ++a) {
    for (int b = 0; b <= a; ++b) {
      double dot = 0;
      for (int r = 0; r < kRows; ++r) dot += static_cast<double>(p[r * kColumns + a]) * p[r * kColumns + b];
      EXPECT_NEAR(dot, a == b ? 1 : 0, 1e-6);
    }
  }
}

TEST(OrthonormalProjectionTest, DependsOnTheSeedAlone) {
  EXPECT_EQ(OrthonormalProjection(8, 8, 1), OrthonormalProjection(8, 8, 1));
  EXPECT_NE(OrthonormalProjection(8, 8, 1), OrthonormalProjection(8, 8, 2));
}

}  // namespace
}  // namespace sightline::model
