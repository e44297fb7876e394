// What anyone can rely on who runs a model without weights: a small DToP from its seeded initialisation ranks the own instance of a held-out view
// first clearly more often than 16x16 pixels do.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "base/file.h"
#include "gtest/gtest.h"
#include "model/image/decode.h"
#include "model/model.h"
#include "model/train/scene/dataset.h"
#include "model/train/scene/labels.h"
#include "model/train/scene/pixel_baseline.h"

namespace sightline::model {
namespace {

std::vector<float> Describe(Model& model, const std::string& path) {
  const auto encoded = base::ReadFile(path, 16 << 20);
  EXPECT_TRUE(encoded.ok()) << encoded.status();
  const auto decoded = image::Decode(*encoded, {}, {.wanted_side = model.wanted_side(1, 1)});
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  const auto prepared = model.Prepare(*decoded, std::nullopt);
  EXPECT_TRUE(prepared.ok()) << prepared.status();
  const PreparedImage* const batch[] = {&*prepared};
  const auto embeddings = model.Embed(batch);
  EXPECT_TRUE(embeddings.ok()) << embeddings.status();
  return embeddings->front().descriptor;
}

struct Described {
  int instance = 0;
  std::vector<float> descriptor;
};

// The fraction of held-out views whose nearest index image shows their own instance.
double RankFirst(Model& model, const std::string& folder) {
  const auto labels = scene::ReadLabels(folder);
  EXPECT_TRUE(labels.ok()) << labels.status();
  std::vector<Described> index, queries;
  for (const scene::Label& label : *labels) {
    auto& side = label.split == scene::Split::kIndex ? index : queries;
    side.push_back({label.instance, Describe(model, folder + "/" + label.path)});
  }
  int first = 0;
  for (const Described& query : queries) {
    double best = -2;
    int instance = -1;
    for (const Described& candidate : index) {
      const double score =
          std::inner_product(query.descriptor.begin(), query.descriptor.end(), candidate.descriptor.begin(), 0.0);
      if (score > best) {
        best = score;
        instance = candidate.instance;
      }
    }
    first += instance == query.instance ? 1 : 0;
  }
  return static_cast<double>(first) / static_cast<double>(queries.size());
}

TEST(SeededQuality, FindsGeneratedScenes) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / ("scenes_" + std::to_string(::getpid()));
  // Another seed than the quick start's default: scenes of this one guided the choice of the initialisation.
  constexpr uint64_t kSeed = 2;
  std::printf("scene seed %d\n", static_cast<int>(kSeed));
  const auto outcome =
      scene::GenerateScenes({.directory = folder.string(), .instances = 24, .views = 6, .side = 320, .seed = kSeed});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  const auto model =
      Model::Load(SIGHTLINE_TEST_MODELS "/dtop_seeded", {.allow_untrained = true, .intra_op_threads = 1});
  ASSERT_TRUE(model.ok()) << model.status();
  const double fraction = RankFirst(**model, folder.string());
  const auto baseline = scene::PixelBaseline(folder.string());
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(baseline.ok()) << baseline.status();
  std::printf("own instance first: dtop_seeded %.2f, 16x16 pixels %.2f\n", fraction, baseline->fraction());
  EXPECT_GE(fraction, 0.6);
  EXPECT_GE(fraction, baseline->fraction() + 0.1);
}

}  // namespace
}  // namespace sightline::model
