// A small model of every head, end to end on seeded weights: descriptors and tokens of two images.
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "model/model.h"

namespace sightline::model {
namespace {

using nlohmann::json;

constexpr unsigned kImageSeed = 12;

json SmallVit() {
  return {{"type", "vit"}, {"dim", 48}, {"depth", 3}, {"heads", 3}, {"grid", 4}, {"patch", 16}, {"mlp_ratio", 2}};
}

// Its last map has 16 pixels per cell.
json SmallResnet() {
  return {{"type", "resnet"}, {"block", "basic"}, {"width", 8}, {"blocks", {1, 1, 1, 1}}, {"last_stride", 1}};
}

json SmallModel(const json& backbone, const json& head, const std::string& projection = "orthonormal") {
  json tokens = {{"dim", 16}, {"importance", "centre"}, {"projection", {{"type", projection}}}};
  if (projection == "orthonormal") tokens["projection"]["seed"] = 3;
  return {{"format", 1},
          {"name", "small"},
          {"provenance", "Made by a test."},
          {"backbone", backbone},
          {"head", head},
          {"preprocess",
           {{"version", 1},
            {"image_size", 96},
            {"enlarge", true},
            {"filter", "bicubic"},
            {"mean", {0.5, 0.5, 0.5}},
            {"std", {0.5, 0.5, 0.5}},
            {"aspect_ratios", json::array()},
            {"scales", {0.7071, 1}}}},
          {"tokens", tokens}};
}

// Blocks of one colour, so that two images differ in more than noise.
image::Image Blocks(int width, int height, unsigned seed) {
  image::Image image{width, height, std::vector<uint8_t>(3u * width * height), width, height};
  std::mt19937 random(seed);
  std::vector<uint8_t> palette(3 * 64);
  for (uint8_t& value : palette) value = static_cast<uint8_t>(random());
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int block = (y * 8 / height) * 8 + x * 8 / width;
      for (int c = 0; c < 3; ++c) image.rgb[3 * (y * width + x) + c] = palette[3 * block + c];
    }
  }
  return image;
}

double Dot(const std::vector<float>& a, const std::vector<float>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

std::vector<Embedding> EmbedBoth(const json& config, int* descriptor_dim) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / ("head_model_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "model.json") << config;
  const auto loaded = Model::Load(folder.string(), {.allow_untrained = true, .intra_op_threads = 1});
  std::filesystem::remove_all(folder);
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  if (!loaded.ok()) return {};
  *descriptor_dim = (*loaded)->info().descriptor_dim;
  std::vector<PreparedImage> prepared;
  for (const unsigned seed : {kImageSeed, kImageSeed + 1}) {
    auto one = (*loaded)->Prepare(Blocks(96, 64, seed), std::nullopt);
    EXPECT_TRUE(one.ok()) << one.status();
    prepared.push_back(*std::move(one));
  }
  const PreparedImage* const batch[] = {&prepared[0], &prepared[1]};
  auto embeddings = (*loaded)->Embed(batch);
  EXPECT_TRUE(embeddings.ok()) << embeddings.status();
  return embeddings.ok() ? *std::move(embeddings) : std::vector<Embedding>();
}

void ExpectValid(const json& config) {
  SCOPED_TRACE(config["head"].dump());
  int dim = 0;
  const std::vector<Embedding> embeddings = EmbedBoth(config, &dim);
  ASSERT_EQ(embeddings.size(), 2u);
  for (const Embedding& one : embeddings) {
    EXPECT_EQ(one.descriptor.size(), static_cast<size_t>(dim));
    EXPECT_NEAR(Dot(one.descriptor, one.descriptor), 1, 1e-5);
    const PatchTokens& tokens = one.tokens;
    EXPECT_EQ(tokens.height, 4);
    EXPECT_EQ(tokens.width, 6);
    EXPECT_EQ(tokens.dim, 16);
    // In half precision, as they are stored.
    EXPECT_NEAR(Dot(tokens.centre, tokens.centre), 1, 1e-3);
    EXPECT_NEAR(std::accumulate(tokens.importance.begin(), tokens.importance.end(), 0.0), 1, 1e-3);
    for (size_t t = 0; t < tokens.scales.size(); ++t) {
      double square = 0;
      for (size_t i = 0; i < 16; ++i) square += std::pow(tokens.scales[t] * tokens.values[t * 16 + i], 2);
      EXPECT_NEAR(square, 1, 0.02) << t;
    }
  }
  EXPECT_LT(Dot(embeddings[0].descriptor, embeddings[1].descriptor), 0.9999) << "descriptors collapse";
}

TEST(HeadModelTest, EveryHeadRunsOnATransformer) {
  std::printf("seed %u\n", kImageSeed);
  const json fc = {{"dim", 20}, {"l2_before", true}};
  const std::vector<json> heads = {
      {{"type", "dtop"}, {"layers", 2}, {"dim", 20}, {"aspp_dim", 8}},
      {{"type", "dtop"}, {"layers", 2}, {"dim", 20}, {"local", false}},
      {{"type", "dtop"}, {"layers", 3}, {"dim", 20}, {"global", false}, {"elm", false}},
      {{"type", "dtop"}, {"global", false}, {"local", false}},
      {{"type", "gap"}},
      {{"type", "spoc"}},
      {{"type", "mac"}},
      {{"type", "crow"}},
      {{"type", "rmac"}, {"fc", fc}},
      {{"type", "gem"}},
      {{"type", "gem"}, {"fc", {{"dim", 20}, {"bn", true}}}},
      {{"type", "delg"}, {"dim", 20}},
      {{"type", "solar"}, {"dim", 20}},
      {{"type", "cls"}},
      {{"type", "irt"}, {"fc", fc}},
      {{"type", "glam"}, {"dim", 20}},
      {{"type", "netvlad"}, {"clusters", 4}},
      {{"type", "netvlad"}, {"clusters", 4}, {"wpca", 20}},
  };
  for (const json& head : heads) ExpectValid(SmallModel(SmallVit(), head));
  ExpectValid(SmallModel(SmallVit(), {{"type", "linear"}, {"dim", 16}}, "head"));
  ExpectValid(SmallModel(SmallVit(), {{"type", "diml"}, {"dim", 16}}, "head"));
}

TEST(HeadModelTest, HeadsOfMapsRunOnAResidualNetwork) {
  std::printf("seed %u\n", kImageSeed);
  const std::vector<json> heads = {
      {{"type", "gap"}},
      {{"type", "spoc"}},
      {{"type", "mac"}},
      {{"type", "crow"}},
      {{"type", "rmac"}},
      {{"type", "gem"}, {"fc", {{"dim", 20}, {"l2_before", true}}}},
      {{"type", "delg"}, {"dim", 20}},
      {{"type", "glam"}, {"dim", 20}},
      {{"type", "netvlad"}, {"clusters", 4}, {"wpca", 20}},
      {{"type", "dolg"}, {"dim", 20}, {"hidden", 24}, {"aspp_dim", 8}},
  };
  for (const json& head : heads) ExpectValid(SmallModel(SmallResnet(), head));
  ExpectValid(SmallModel(SmallResnet(), {{"type", "linear"}, {"dim", 16}}, "head"));
  ExpectValid(SmallModel(SmallResnet(), {{"type", "diml"}, {"dim", 16}}, "head"));
  json merged = SmallModel(SmallResnet(), {{"type", "gem"}});
  merged["preprocess"]["merge"] = "power";
  ExpectValid(merged);
  json attentive = SmallResnet();
  attentive["soa4"] = 8;
  attentive["soa5"] = 8;
  ExpectValid(SmallModel(attentive, {{"type", "solar"}, {"dim", 20}}));
}

}  // namespace
}  // namespace sightline::model
