// Real weights, imported and served: ViT-Ti/16 on photographs of groceries. Skipped where the material is absent
// ($SIGHTLINE_SHARED_DATA/vit_tiny and grocery). SIGHTLINE_SLOW_TESTS takes all 81 products instead of 12.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/file.h"
#include "gtest/gtest.h"
#include "model/image/decode.h"
#include "model/model.h"
#include "model/weights/import.h"
#include "tests/support/temp_folder.h"

namespace sightline::model {
namespace {

namespace fs = std::filesystem;

constexpr int kFewProducts = 12;
// Of these weights in the Python reference on those products.
constexpr double kFewRecallAt1 = 0.75;
constexpr double kFewMeanAveragePrecision = 0.6;

struct Photograph {
  int product = 0;
  std::vector<float> descriptor;
};

struct Ranking {
  double recall_at_1 = 0;
  double mean_average_precision = 0;
};

std::vector<float> DescribePhotograph(Model& model, const std::string& path) {
  const auto encoded = base::ReadFile(path, 16 << 20);
  EXPECT_TRUE(encoded.ok()) << encoded.status();
  const auto header = image::ReadHeader(*encoded, {});
  EXPECT_TRUE(header.ok()) << header.status();
  const auto decoded = image::Decode(*encoded, {}, {.wanted_side = model.wanted_side(header->width, header->height)});
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  const auto prepared = model.Prepare(*decoded, std::nullopt);
  EXPECT_TRUE(prepared.ok()) << prepared.status();
  const PreparedImage* const batch[] = {&*prepared};
  const auto embeddings = model.Embed(batch);
  EXPECT_TRUE(embeddings.ok()) << embeddings.status();
  return embeddings->front().descriptor;
}

// Average precision over the whole ranking, as the reference figures have it.
Ranking Rank(const std::vector<Photograph>& queries, const std::vector<Photograph>& database) {
  Ranking ranking;
  for (const Photograph& query : queries) {
    std::vector<std::pair<float, int>> scored;
    for (const Photograph& item : database) {
      scored.emplace_back(
          -std::inner_product(query.descriptor.begin(), query.descriptor.end(), item.descriptor.begin(), 0.0f),
          item.product);
    }
    std::stable_sort(scored.begin(), scored.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    double found = 0, precision = 0;
    for (size_t i = 0; i < scored.size(); ++i) {
      if (scored[i].second != query.product) continue;
      found += 1;
      precision += found / static_cast<double>(i + 1);
    }
    ranking.recall_at_1 += scored.front().second == query.product ? 1 : 0;
    ranking.mean_average_precision += precision / found;
  }
  ranking.recall_at_1 /= static_cast<double>(queries.size());
  ranking.mean_average_precision /= static_cast<double>(queries.size());
  return ranking;
}

TEST(RealWeights, FindGroceriesAsWellAsTheReference) {
  const char* const data = std::getenv("SIGHTLINE_SHARED_DATA");
  if (data == nullptr) GTEST_SKIP() << "SIGHTLINE_SHARED_DATA is not set";
  const std::string root = data;
  const std::string file = root + "/vit_tiny/vit_tiny_patch16_224_augreg_in21k_ft_in1k.safetensors";
  if (!fs::exists(file) || !fs::exists(root + "/grocery/labels.csv")) GTEST_SKIP() << "no ViT-Ti weights or groceries";

  const sightline::testing::TempFolder folder;
  const std::string out = folder.path() + "/vit_tiny";
  const auto report = ImportCheckpoint(
      {.checkpoint = file, .model_json = std::string(SIGHTLINE_ZOO) + "/vit_tiny_patch16_224/model.json", .out = out});
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_TRUE(report->fits);
  EXPECT_EQ(report->tensors, 150);
  ASSERT_EQ(report->findings.size(), 2u);
  for (const ImportFinding& finding : report->findings) EXPECT_EQ(finding.what, "ignored: classifier") << finding.key;
  const auto model = Model::Load(out, {.intra_op_threads = 2});
  ASSERT_TRUE(model.ok()) << model.status();

  const bool all = std::getenv("SIGHTLINE_SLOW_TESTS") != nullptr;
  std::vector<Photograph> queries, database;
  std::ifstream labels(root + "/grocery/labels.csv");
  std::string line;
  std::getline(labels, line);  // path,split,product_id,product
  while (std::getline(labels, line)) {
    const std::vector<std::string> fields = absl::StrSplit(line, ',');
    const int product = std::stoi(fields[2]);
    if (!all && product >= kFewProducts) continue;
    Photograph photograph{product, DescribePhotograph(**model, root + "/grocery/" + fields[0])};
    (fields[1] == "train" ? database : queries).push_back(std::move(photograph));
  }
  const Ranking ranking = Rank(queries, database);
  std::printf("grocery, ViT-Ti/16 cls, %zu queries, %zu in the database: R@1 %.4f mAP %.4f\n", queries.size(),
              database.size(), ranking.recall_at_1, ranking.mean_average_precision);
  // The whole set: the figures that came with the photographs.
  EXPECT_NEAR(ranking.recall_at_1, all ? 0.585 : kFewRecallAt1, 0.01);
  EXPECT_NEAR(ranking.mean_average_precision, all ? 0.452 : kFewMeanAveragePrecision, 0.01);
}

}  // namespace
}  // namespace sightline::model
