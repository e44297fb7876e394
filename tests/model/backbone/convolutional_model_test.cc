// Models with ResNets and VGGs from their seeded initialisation, from an image to a descriptor and tokens.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "model/model.h"

namespace sightline::model {
namespace {

using Json = nlohmann::json;

Json ConvolutionalModel(const Json& backbone, const Json& head, const std::string& importance) {
  return {{"format", 1},
          {"name", "convolutional"},
          {"provenance", "a test"},
          {"seed", 3},
          {"backbone", backbone},
          {"head", head},
          {"preprocess",
           {{"image_size", 160},
            {"size_multiple", 1},
            {"filter", "bicubic"},
            {"mean", {0.485, 0.456, 0.406}},
            {"std", {0.229, 0.224, 0.225}},
            {"aspect_ratios", Json::array()},
            {"scales", {1.0, 0.7071}},
            {"version", 1}}},
          {"tokens",
           {{"dim", 16},
            {"max_cells", 196},
            {"projection", {{"type", "orthonormal"}, {"seed", 1}}},
            {"importance", importance}}}};
}

std::unique_ptr<Model> LoadConvolutional(const Json& config) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / ("convolutional_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "model.json") << config.dump();
  auto model = Model::Load(folder.string(), {.allow_untrained = true, .intra_op_threads = 1});
  std::filesystem::remove_all(folder);
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *std::move(model) : nullptr;
}

// Patches of random colours around one of the picture, their borders softened, and stripes over them.
image::Image Picture(int width, int height, unsigned seed) {
  constexpr int kColumns = 5, kRows = 4;
  std::mt19937 random(seed);
  std::vector<double> colours(3 * (kColumns + 1) * (kRows + 1));
  std::array<uint64_t, 3> base{};
  for (uint64_t& value : base) value = random() % 120;
  for (size_t i = 0; i < colours.size(); ++i) colours[i] = static_cast<double>(base[i % 3] + random() % 80);
  const double frequency = 0.02 + 0.3 * (random() % 100) / 100;
  image::Image image{width, height, std::vector<uint8_t>(size_t{3} * width * height), width, height};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double column = static_cast<double>(x) * kColumns / width, row = static_cast<double>(y) * kRows / height;
      const double right = column - std::floor(column), below = row - std::floor(row);
      for (int c = 0; c < 3; ++c) {
        const auto at = [&](int dx, int dy) {
          return colours[3 * ((static_cast<int>(row) + dy) * (kColumns + 1) + static_cast<int>(column) + dx) + c];
        };
        const double top = at(0, 0) * (1 - right) + at(1, 0) * right;
        const double bottom = at(0, 1) * (1 - right) + at(1, 1) * right;
        const double value = top * (1 - below) + bottom * below + 27 * (1 + std::sin(frequency * (x + 2 * y)));
        image.rgb[3 * (static_cast<size_t>(y) * width + x) + c] = static_cast<uint8_t>(value);
      }
    }
  }
  return image;
}

Embedding EmbedOne(Model& model, const image::Image& image, const std::optional<image::CropBox>& crop = std::nullopt) {
  const auto prepared = model.Prepare(image, crop);
  EXPECT_TRUE(prepared.ok()) << prepared.status();
  const PreparedImage* const batch[] = {&*prepared};
  auto embeddings = model.Embed(batch);
  EXPECT_TRUE(embeddings.ok()) << embeddings.status();
  return embeddings.ok() ? embeddings->front() : Embedding();
}

double Dot(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// Importances and centres are rounded to half precision, as they are stored: by up to 2^-11 each.
constexpr double kHalfPrecision = 1e-3;

void ExpectWellFormed(const Embedding& embedding) {
  EXPECT_NEAR(Dot(embedding.descriptor, embedding.descriptor), 1, 1e-4);
  const PatchTokens& tokens = embedding.tokens;
  ASSERT_EQ(tokens.importance.size(), static_cast<size_t>(tokens.height) * tokens.width);
  EXPECT_NEAR(std::accumulate(tokens.importance.begin(), tokens.importance.end(), 0.0), 1, kHalfPrecision);
  for (const float value : tokens.importance) EXPECT_GE(value, 0);
  EXPECT_NEAR(Dot(tokens.centre, tokens.centre), 1, kHalfPrecision);
}

struct ModelCase {
  const char* name;
  Json backbone;
  Json head;
  const char* importance;
  int tokens_wide, tokens_high;  // of a 160 x 120 image
};

TEST(ConvolutionalModel, TellsImagesApartFromASeededInitialisation) {
  // Narrow where the depth is what could make images alike.
  const std::vector<ModelCase> cases = {
      {"resnet18",
       {{"type", "resnet"}, {"block", "basic"}, {"blocks", {2, 2, 2, 2}}, {"width", 16}},
       {{"type", "gap"}},
       "norm",
       5,
       4},
      {"resnet50", {{"type", "resnet"}}, {{"type", "gem"}}, "centre", 5, 4},
      {"resnet101 bgr v1 trunk",
       {{"type", "resnet"}, {"blocks", {3, 4, 23}}, {"stride_on", "1x1"}, {"channel_order", "bgr"}, {"width", 16}},
       {{"type", "gap"}},
       "norm",
       10,
       8},
      {"resnet50 second order",
       {{"type", "resnet"}, {"soa4", 64}, {"soa5", 128}, {"last_stride", 1}, {"width", 16}},
       {{"type", "gem"}},
       "norm",
       10,
       8},
      {"vgg16", {{"type", "vgg"}, {"width", 32}}, {{"type", "gem"}}, "norm", 10, 7},
      {"vgg16 conv", {{"type", "vgg"}, {"end", "conv"}, {"width", 32}}, {{"type", "gap"}}, "centre", 10, 7},
  };
  const image::Image first = Picture(200, 150, 1), second = Picture(200, 150, 2);
  for (const ModelCase& one : cases) {
    SCOPED_TRACE(one.name);
    const std::unique_ptr<Model> model = LoadConvolutional(ConvolutionalModel(one.backbone, one.head, one.importance));
    ASSERT_NE(model, nullptr);
    EXPECT_TRUE(model->info().untrained);
    const Embedding a = EmbedOne(*model, first), b = EmbedOne(*model, second);
    const Embedding view =
        EmbedOne(*model, first, image::CropBox{0.04, 0.05, 0.92, 0.92, image::CropBox::Unit::kFraction});
    for (const Embedding* embedding : {&a, &b, &view}) {
      ExpectWellFormed(*embedding);
      EXPECT_EQ(embedding->descriptor.size(), static_cast<size_t>(model->info().descriptor_dim));
      EXPECT_EQ(embedding->tokens.width, one.tokens_wide);
      EXPECT_EQ(embedding->tokens.height, one.tokens_high);
    }
    std::printf("%s: cosine of another view %.4f, of another image %.4f\n", one.name,
                Dot(a.descriptor, view.descriptor), Dot(a.descriptor, b.descriptor));
    EXPECT_LT(Dot(a.descriptor, b.descriptor), 0.98);
    EXPECT_GT(Dot(a.descriptor, view.descriptor), Dot(a.descriptor, b.descriptor));
    const auto [least, most] = std::minmax_element(a.tokens.importance.begin(), a.tokens.importance.end());
    EXPECT_GT(*most, 1.01f * *least) << "cells that differ must not all weigh the same";
  }
}

// What the two orders mean: a network for BGR sees an image with red and blue exchanged as one for RGB sees the image,
// while mean and std stay with the image's channels.
TEST(ConvolutionalModel, TurnsChannelsAfterNormalising) {
  const Json basic = {{"type", "resnet"}, {"block", "basic"}, {"blocks", {1, 1}}, {"width", 16}};
  const Json rgb = ConvolutionalModel(basic, {{"type", "gap"}}, "norm");
  Json bgr = rgb;
  bgr["backbone"]["channel_order"] = "bgr";
  for (const char* field : {"mean", "std"})
    std::reverse(bgr["preprocess"][field].begin(), bgr["preprocess"][field].end());
  const image::Image image = Picture(123, 81, 5);
  image::Image exchanged = image;
  for (size_t i = 0; i < exchanged.rgb.size(); i += 3) std::swap(exchanged.rgb[i], exchanged.rgb[i + 2]);

  const std::unique_ptr<Model> for_rgb = LoadConvolutional(rgb), for_bgr = LoadConvolutional(bgr);
  ASSERT_TRUE(for_rgb != nullptr && for_bgr != nullptr);
  EXPECT_NE(for_rgb->info().embedding_space, for_bgr->info().embedding_space);
  const Embedding one = EmbedOne(*for_rgb, image), other = EmbedOne(*for_bgr, exchanged);
  EXPECT_NEAR(Dot(one.descriptor, other.descriptor), 1, 1e-6);
  EXPECT_EQ(one.tokens.values, other.tokens.values);
  EXPECT_LT(Dot(one.descriptor, EmbedOne(*for_bgr, image).descriptor), 0.9999);
}

TEST(ConvolutionalModel, EmbedsImagesNarrowerThanACell) {
  for (const Json& backbone : {Json{{"type", "resnet"}, {"blocks", {1, 1, 1, 1}}, {"width", 8}},
                               Json{{"type", "vgg"}, {"width", 4}, {"end", "pool"}}}) {
    const std::unique_ptr<Model> model = LoadConvolutional(ConvolutionalModel(backbone, {{"type", "gap"}}, "norm"));
    ASSERT_NE(model, nullptr);
    ExpectWellFormed(EmbedOne(*model, Picture(160, 3, 1)));
    ExpectWellFormed(EmbedOne(*model, Picture(1, 90, 1)));
    ExpectWellFormed(EmbedOne(*model, Picture(1, 1, 1)));
  }
}

TEST(ConvolutionalModel, DescriptorsDoNotDependOnTheBatch) {
  const Json backbone = {{"type", "resnet"}, {"blocks", {1, 2, 1, 1}}, {"width", 16}, {"soa4", 8}};
  const std::unique_ptr<Model> model = LoadConvolutional(ConvolutionalModel(backbone, {{"type", "gem"}}, "norm"));
  ASSERT_NE(model, nullptr);
  std::vector<PreparedImage> images;
  std::vector<const PreparedImage*> batch;
  for (unsigned seed = 1; seed <= 3; ++seed) images.push_back(*model->Prepare(Picture(90, 70, seed), std::nullopt));
  for (const PreparedImage& image : images) batch.push_back(&image);
  const auto together = model->Embed(batch);
  ASSERT_TRUE(together.ok()) << together.status();
  for (unsigned i = 0; i < images.size(); ++i) {
    const Embedding alone = EmbedOne(*model, Picture(90, 70, i + 1));
    for (size_t d = 0; d < alone.descriptor.size(); ++d) {
      ASSERT_NEAR((*together)[i].descriptor[d], alone.descriptor[d], 1e-5) << i << " " << d;
    }
  }
}

}  // namespace
}  // namespace sightline::model
