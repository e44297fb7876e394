#include "model/weights/import_config.h"

#include <fstream>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sightline::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string ZooText(const std::string& name) {
  std::stringstream text;
  text << std::ifstream(std::string(SIGHTLINE_ZOO) + "/" + name + "/model.json").rdbuf();
  return text.str();
}

weights::NameMapping Positions(int64_t file_rows, int64_t file_dim = 768) {
  weights::NameMapping mapping;
  mapping.findings.push_back(
      {weights::Finding::kMisshaped, "pos_embed", {1, file_rows, file_dim}, {1, 197, 768}, "backbone.pos_embed", ""});
  return mapping;
}

ImportedConfig Parsed(const std::string& text) {
  auto config = ImportedConfig::Parse(text);
  EXPECT_TRUE(config.ok()) << config.status();
  return *std::move(config);
}

TEST(ImportedConfigTest, TakesTheGridOfTheFile) {
  ImportedConfig config = Parsed(ZooText("dtop_vit_b"));
  EXPECT_TRUE(config.TakeGrid(Positions(1 + 24 * 24)));
  EXPECT_THAT(config.notes(), ElementsAre(HasSubstr("backbone.grid is 24, the file's; it was 14")));
  const auto written = ParseModelConfig(config.Text());
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(std::get<VitConfig>(written->backbone).encoder.grid, 24);
}

// A checkpoint's keys are whatever its pickle says.
TEST(ImportedConfigTest, WritesNamesThatAreNotUtf8) {
  ImportedConfig config = Parsed(ZooText("dtop_vit_b"));
  config.SetSource({.file = "a.pth", .sha256 = "", .format = "PyTorch zip", .wrapper = "\xff\xfe", .names = "timm"},
                   {});
  const auto written = ParseModelConfig(config.Text());
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(written->source->wrapper, "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(ImportedConfigTest, LeavesGridsThatAreNoSquare) {
  ImportedConfig config = Parsed(ZooText("dtop_vit_b"));
  for (const int64_t rows : {0, 1, 3, 576, 1 + 24 * 24 + 1}) EXPECT_FALSE(config.TakeGrid(Positions(rows))) << rows;
  EXPECT_FALSE(config.TakeGrid(Positions(1 + 24 * 24, 384))) << "another width is another model";
  EXPECT_FALSE(config.TakeGrid({}));
  EXPECT_THAT(config.notes(), IsEmpty());
}

TEST(ImportedConfigTest, TakesColoursOfTheFile) {
  ImportedConfig config = Parsed(ZooText("dtop_vit_b"));
  config.TakeMeta({{"mean", {0.48, 0.46, 0.41}}, {"std", {0.5, 0.5, 0.5}}, {"outputdim", 2048}});
  config.TakeMeta({{"mean", {1, 2}}, {"std", "wide"}});
  config.TakeMeta(nullptr);
  EXPECT_THAT(config.notes(), ElementsAre("preprocess.mean is the file's meta.mean"));
  const auto written = ParseModelConfig(config.Text());
  ASSERT_TRUE(written.ok());
  EXPECT_FLOAT_EQ(written->preprocess.mean[0], 0.48f);
}

TEST(ImportedConfigTest, SaysWhereTheWeightsAreFrom) {
  ImportedConfig config = Parsed(ZooText("dtop_vit_b"));
  const SourceConfig source{"vit.pth", std::string(64, 'a'), "PyTorch zip", "state_dict", "timm"};
  config.SetSource(source, {"dtop"});
  auto written = ParseModelConfig(config.Text());
  ASSERT_TRUE(written.ok()) << written.status();
  ASSERT_TRUE(written->source.has_value());
  EXPECT_EQ(ToJson(*written->source), ToJson(source));
  EXPECT_THAT(written->seeded, ElementsAre("dtop"));
  EXPECT_THAT(written->provenance, HasSubstr("vit.pth"));
  EXPECT_THAT(written->provenance, HasSubstr("seeded, not trained"));
  config.SetSource(source, {});
  written = ParseModelConfig(config.Text());
  ASSERT_TRUE(written.ok());
  EXPECT_THAT(written->seeded, IsEmpty());
}

TEST(ImportedConfigTest, RefusesTextThatIsNoModel) {
  EXPECT_FALSE(ImportedConfig::Parse("{}").ok());
  EXPECT_FALSE(ImportedConfig::Parse("not json").ok());
}

}  // namespace
}  // namespace sightline::model
