#include "client/cli/plan.h"

#include <gtest/gtest.h>

#include <vector>

#include "index/ann/code_table.h"
#include "index/ann/graph.h"
#include "index/ann/row_table.h"

namespace sightline::cli {
namespace {

TEST(PlanTest, AgreesWithTheDesign) {
  const Plan million = MakePlan({.images = 1'000'000});
  EXPECT_NEAR(million.descriptors_float32, 6.1e9, 0.05e9);
  EXPECT_NEAR(million.descriptors_float16, 3.1e9, 0.05e9);
  EXPECT_NEAR(million.codes, 1.6e9, 0.01e9) << "1,536 codes and their trailer, in whole cache lines";
  EXPECT_NEAR(million.graph, 0.144e9, 0.001e9) << "below the design's 0.2";
  EXPECT_NEAR(million.tokens, 25.749e9, 0.001e9);
  EXPECT_NEAR(MakePlan({.images = 1'000'000, .token_cells = 49, .token_dim = 64}).tokens, 3.375e9, 0.001e9);
  const Plan hundred_million = MakePlan({.images = 100'000'000});
  EXPECT_NEAR(hundred_million.codes, 160e9, 0.5e9);
  EXPECT_NEAR(hundred_million.tokens, 2.575e12, 0.001e12);
}

TEST(PlanTest, ReadsCounts) {
  EXPECT_EQ(*ParseImageCount("250000"), 250'000);
  EXPECT_EQ(*ParseImageCount("500k"), 500'000);
  EXPECT_EQ(*ParseImageCount("1.5M"), 1'500'000);
  for (const char* bad : {"", "k", "0", "-5", "nan", "1T", "1e30", "5 M x"})
    EXPECT_FALSE(ParseImageCount(bad).ok()) << bad;
}

// The client knows nothing of the index, so its formulas are its own; here they are held to the index's memory.
TEST(PlanTest, AgreesWithTheIndex) {
  constexpr uint32_t kRows = 32'768;
  for (const int64_t dim : {1, 8, 56, 57, 256, 768, 1536, 8192}) {
    const index::kernels::CodeLayout layout(static_cast<size_t>(dim));
    EXPECT_EQ(MakePlan({.images = kRows, .descriptor_dim = dim}).codes, static_cast<double>(layout.stride * kRows))
        << dim;
  }
  const index::kernels::CodeLayout layout(8);
  index::CodeTable codes(layout, kRows, kRows);
  const std::vector<float> values(8, 0.5f);
  index::kernels::EncodeRow(layout, values.data(), codes.MutableRow(0));
  index::Graph graph(codes, {.m = 16});
  graph.Insert(0);
  // Memory is taken for a whole chunk of rows.
  const Plan plan = MakePlan({.images = kRows, .descriptor_dim = 8});
  EXPECT_NEAR(static_cast<double>(graph.memory_bytes()) / plan.graph, 1, 0.02);
  index::RowTable rows(kRows);
  rows.Set(0, 1, "shoes/17.jpg");
  const double row_bytes = static_cast<double>(rows.memory_bytes()) / 4096;
  EXPECT_NEAR(plan.rows / kRows, row_bytes + 4, 0.1) << "and a checksum of four bytes";
}

}  // namespace
}  // namespace sightline::cli
