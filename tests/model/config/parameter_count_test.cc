#include "gtest/gtest.h"
#include "model/config/architecture.h"

namespace sightline::model {
namespace {

HybridVitConfig R50() { return {.encoder = {}, .stages = {{3, 256, 1}, {4, 512, 2}, {9, 1024, 2}}}; }

TEST(ParameterCountTest, AgreesWithThePublishedCounts) {
  EXPECT_EQ(CountParameters(BackboneConfig(R50())), 97'890'112);
  EXPECT_EQ(CountParameters(BackboneConfig(VitConfig{})), 86'567'656 - (768 * 1000 + 1000));
  VitConfig small{.encoder = {.dim = 384, .heads = 6}};
  EXPECT_EQ(CountParameters(BackboneConfig(small)), 22'050'664 - (384 * 1000 + 1000));
  HybridVitConfig large_grid = R50();
  large_grid.encoder.grid = 24;
  EXPECT_EQ(CountParameters(BackboneConfig(large_grid)), 98'950'952 - (768 * 1000 + 1000));
}

TEST(ParameterCountTest, CountsTheHead) {
  const BackboneConfig vit = VitConfig{};
  DtopConfig sum{.fuse = Fuse::kSum};
  DtopConfig weighted;
  EXPECT_EQ(CountParameters(vit, HeadConfig(weighted)) - CountParameters(vit, HeadConfig(sum)), 2);
  // Global FC, conv1x1, local FC, final FC and BN as the table of the method gives them; the rest is ELM and FUSE.
  const int64_t elm = CountParameters(vit, HeadConfig(sum)) - (7'079'424 + 3'539'712 + 1'181'184 + 4'720'128 + 3'072);
  const int64_t irb = 2 * 768 * 1536 + 9 * 1536 + 2 * (1536 + 1536 + 768);
  const int64_t aspp = 2 * 768 * 256 + 3 * 9 * 768 * 256 + 1280 * 256 + 6 * 2 * 256 + 256 * 768 + 768;
  EXPECT_EQ(elm, irb + aspp);
}

}  // namespace
}  // namespace sightline::model
