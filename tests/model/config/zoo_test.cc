// Every entry of the zoo is a model.json that is read, called as its folder, of the size that its publication says.
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config/model_config.h"

namespace sightline::model {
namespace {

struct Known {
  int64_t backbone = 0;  // parameters; 0 where no published figure is at hand
  int descriptor = 0;
};

// Published counts without the classifier of 1,000 classes, which has 1,000 (D + 1) parameters.
const std::map<std::string, Known>& KnownModels() {
  static const auto& known = *new std::map<std::string, Known>{
      {"cvt_13", {19'997'480 - 1000 * 385, 384}},
      {"deit_small_128", {22'050'664 - 1000 * 385, 128}},
      {"dinov2_vitb14_reg4", {0, 768}},
      {"dinov2_vits14", {0, 384}},
      {"dtop_r50_vit_b", {97'890'112, 1536}},
      {"dtop_tiny", {0, 256}},
      {"dtop_vit_b", {86'567'656 - 1000 * 769, 1536}},
      {"r50_vit_b16_384", {98'950'952 - 1000 * 769, 768}},
      {"resnet101_delg", {42'500'160, 512}},
      {"resnet101_dolg", {42'500'160, 512}},
      {"resnet101_gem", {42'500'160, 2048}},
      {"resnet101_glam", {42'500'160, 512}},
      {"resnet101_solar", {0, 2048}},
      {"resnet50_diml", {25'557'032 - 1000 * 2049, 128}},
      {"resnet50_gem", {25'557'032 - 1000 * 2049, 2048}},
      {"swin_tiny", {28'288'354 - 1000 * 769, 768}},
      {"vgg16_gem", {14'714'688, 512}},
      {"vgg16_netvlad", {14'714'688, 32'768}},
      {"vit_base_patch16_224", {86'567'656 - 1000 * 769, 768}},
      {"vit_small_patch16_224", {22'050'664 - 1000 * 385, 384}},
      {"vit_tiny_patch16_224", {5'717'416 - 1000 * 193, 192}},
  };
  return known;
}

TEST(ZooTest, EveryEntryIsReadAndHasTheSizeThatIsPublished) {
  size_t entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SIGHTLINE_ZOO)) {
    const std::string name = entry.path().filename().string();
    SCOPED_TRACE(name);
    ++entries;
    std::stringstream text;
    text << std::ifstream(entry.path() / "model.json").rdbuf();
    const auto config = ParseModelConfig(text.str());
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->name, name);
    EXPECT_FALSE(config->provenance.empty());
    // The repository holds no weights but the starter model's, which are small.
    const std::filesystem::path weights = entry.path() / "weights.safetensors";
    EXPECT_EQ(std::filesystem::exists(weights), name == "dtop_tiny");
    if (name == "dtop_tiny") {
      EXPECT_LT(std::filesystem::file_size(weights), 16'000'000u);
    }
    const auto known = KnownModels().find(name);
    ASSERT_NE(known, KnownModels().end()) << "a new entry belongs into this test";
    EXPECT_EQ(DescriptorDim(config->backbone, config->head), known->second.descriptor);
    if (known->second.backbone > 0) {
      EXPECT_EQ(CountParameters(config->backbone), known->second.backbone);
    }
  }
  EXPECT_EQ(entries, KnownModels().size());
}

}  // namespace
}  // namespace sightline::model
