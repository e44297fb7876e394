// Whole models in int8: how close descriptors are to those in fp32, which files are refused, and what a server is told.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/calibration/calibration.h"
#include "model/engine/int8_weights.h"
#include "model/image/decode.h"
#include "model/model.h"
#include "model/train/scene/dataset.h"
#include "model/weights/safetensors.h"

namespace sightline::model {
namespace {

using ::testing::HasSubstr;

// Seeded weights pass on every error; trained ones are kinder, see RealWeights below.
constexpr double kLeastCosine = 0.99;

class Int8Model : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!engine::HasInt8()) GTEST_SKIP() << "this machine has no AVX-512 VNNI";
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // A model directory of its own with this model.json.
  std::string Directory(const std::string& name, const nlohmann::json& config) {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path);
    std::ofstream(path / "model.json") << config;
    return path.string();
  }

  // dtop_tiny at a smaller size.
  std::string TinyDirectory() {
    nlohmann::json config = nlohmann::json::parse(std::ifstream(SIGHTLINE_TEST_MODELS "/dtop_seeded/model.json"));
    config["preprocess"]["image_size"] = 160;
    return Directory("tiny", config);
  }

  std::vector<std::string> Scenes() {
    constexpr uint64_t kSeed = 5;
    std::printf("scene seed %d\n", static_cast<int>(kSeed));
    const std::string scenes = (folder_ / "scenes").string();
    EXPECT_TRUE(
        scene::GenerateScenes({.directory = scenes, .instances = 6, .views = 3, .side = 200, .seed = kSeed}).ok());
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(scenes)) {
      if (entry.path().extension() == ".jpg") paths.push_back(entry.path().string());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  static std::unique_ptr<Model> Load(const std::string& directory, LoadOptions options) {
    options.allow_untrained = true;
    options.intra_op_threads = 2;
    auto model = Model::Load(directory, options);
    EXPECT_TRUE(model.ok()) << model.status();
    return model.ok() ? *std::move(model) : nullptr;
  }

  static std::vector<std::vector<float>> Describe(Model& model, const std::vector<std::string>& paths) {
    std::vector<std::vector<float>> descriptors;
    for (const std::string& path : paths) {
      const auto encoded = base::ReadFile(path, 16 << 20);
      EXPECT_TRUE(encoded.ok()) << encoded.status();
      const auto decoded = image::Decode(*encoded, {}, {});
      EXPECT_TRUE(decoded.ok()) << decoded.status();
      const auto prepared = model.Prepare(*decoded, std::nullopt);
      EXPECT_TRUE(prepared.ok()) << prepared.status();
      const PreparedImage* const batch[] = {&*prepared};
      auto embeddings = model.Embed(batch);
      EXPECT_TRUE(embeddings.ok()) << embeddings.status();
      descriptors.push_back(std::move(embeddings->front().descriptor));
    }
    return descriptors;
  }

  static double Cosine(const std::vector<float>& a, const std::vector<float>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  }

  static double LeastCosine(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b) {
    double least = 1;
    for (size_t i = 0; i < a.size(); ++i) least = std::min(least, Cosine(a[i], b[i]));
    return least;
  }

  static void Write(const std::string& directory, const std::string& calibration) {
    std::ofstream(directory + "/calibration.json", std::ios::binary) << calibration;
  }

  const std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) / ("int8_" + std::to_string(::getpid()));
};

TEST_F(Int8Model, HybridIsCloseToFloatsWithAndWithoutCalibration) {
  const std::string directory = TinyDirectory();
  const std::vector<std::string> scenes = Scenes();
  const std::vector<std::string> few(scenes.begin(), scenes.begin() + 4);
  const auto observed = Load(directory, {.observe = true});
  ASSERT_NE(observed, nullptr);
  EXPECT_EQ(observed->info().numeric, "fp32/cpu");
  EXPECT_EQ(base::GetErrorInfo(observed->MeasuredCalibration().status()).reason, "NOTHING_OBSERVED");
  Describe(*observed, few);
  const auto calibration = observed->MeasuredCalibration();
  ASSERT_TRUE(calibration.ok()) << calibration.status();
  EXPECT_EQ(calibration->images, 4);
  // Of the stem, the first convolution has three channels; of the head, the depthwise one is no matrix product.
  EXPECT_NE(calibration->Find("backbone.patch_embed.backbone.stages.0.blocks.0.conv1"), nullptr);
  EXPECT_NE(calibration->Find("backbone.patch_embed.backbone.stages.2.blocks.0.downsample.conv"), nullptr);
  EXPECT_NE(calibration->Find("backbone.patch_embed.proj"), nullptr);
  EXPECT_NE(calibration->Find("dtop.elm.irb.expand.conv"), nullptr);
  EXPECT_EQ(calibration->Find("backbone.patch_embed.backbone.stem.conv"), nullptr);
  EXPECT_EQ(calibration->Find("dtop.elm.irb.dw.conv"), nullptr);
  EXPECT_FALSE(calibration->Find("backbone.patch_embed.proj")->is_signed) << "behind a ReLU";
  EXPECT_TRUE(calibration->Find("dtop.elm.irb.expand.conv")->is_signed);

  const auto fp32 = Load(directory, {});
  const auto linear = Load(directory, {.numeric = Numeric::kInt8});
  Write(directory, CalibrationText(*calibration));
  const auto all = Load(directory, {.numeric = Numeric::kInt8});
  ASSERT_TRUE(fp32 && linear && all);
  EXPECT_EQ(fp32->info().numeric, "fp32/cpu");
  EXPECT_EQ(linear->info().numeric, "int8/cpu");
  EXPECT_EQ(all->info().numeric, "int8/cpu");
  EXPECT_EQ(all->info().embedding_space, fp32->info().embedding_space);
  EXPECT_EQ(all->info().token_space, fp32->info().token_space);

  const auto exact = Describe(*fp32, scenes);
  const double linear_cosine = LeastCosine(exact, Describe(*linear, scenes));
  const double all_cosine = LeastCosine(exact, Describe(*all, scenes));
  std::printf("least cosine to fp32: %.5f without a calibration, %.5f with one\n", linear_cosine, all_cosine);
  EXPECT_GE(linear_cosine, kLeastCosine);
  EXPECT_GE(all_cosine, kLeastCosine);
  EXPECT_NE(linear_cosine, all_cosine) << "the calibration changed nothing";
  EXPECT_LT(all_cosine, 0.9999999) << "nothing was computed in int8";
}

TEST_F(Int8Model, PlainVitNeedsNoCalibration) {
  nlohmann::json config = nlohmann::json::parse(std::ifstream(std::string(SIGHTLINE_ZOO) + "/dtop_vit_b/model.json"));
  config["backbone"] = {{"type", "vit"},  {"dim", 96}, {"depth", 6}, {"heads", 3},
                        {"mlp_ratio", 4}, {"grid", 7}, {"patch", 16}};
  config["head"] = {{"type", "cls"}};
  config["preprocess"]["image_size"] = 112;
  config["preprocess"]["scales"] = {1};
  config["tokens"]["dim"] = 32;
  const std::string directory = Directory("vit", config);
  const std::vector<std::string> scenes = Scenes();
  const auto fp32 = Load(directory, {});
  const auto int8 = Load(directory, {.numeric = Numeric::kInt8});
  ASSERT_TRUE(fp32 && int8);
  EXPECT_EQ(int8->info().numeric, "int8/cpu");
  const double cosine = LeastCosine(Describe(*fp32, scenes), Describe(*int8, scenes));
  std::printf("least cosine to fp32: %.5f\n", cosine);
  EXPECT_GE(cosine, kLeastCosine);
}

TEST_F(Int8Model, ForeignAndDamagedCalibrationsAreRefused) {
  const std::string directory = TinyDirectory();
  const Calibration foreign{.embedding_space = std::string(64, 'a'), .images = 1, .inputs = {}};
  Write(directory, CalibrationText(foreign));
  const auto other = Model::Load(directory, {.allow_untrained = true, .numeric = Numeric::kInt8});
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::GetErrorInfo(other.status()).reason, "CALIBRATION_FOREIGN");
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("sightline-train calibrate"));

  for (const std::string& text : {std::string("{}"), std::string("\xff\xfe"), std::string(2 << 20, 'x')}) {
    Write(directory, text);
    EXPECT_FALSE(Model::Load(directory, {.allow_untrained = true, .numeric = Numeric::kInt8}).ok());
    // Nobody asks for the file in fp32.
    EXPECT_TRUE(Model::Load(directory, {.allow_untrained = true}).ok());
  }
}

// A calibration that lies about every scale must give bad descriptors, not a crash.
TEST_F(Int8Model, WrongScalesAreSurvived) {
  const std::string directory = TinyDirectory();
  const std::vector<std::string> scenes = Scenes();
  const auto observed = Load(directory, {.observe = true});
  ASSERT_NE(observed, nullptr);
  const auto exact = Describe(*observed, {scenes[0]});
  auto calibration = observed->MeasuredCalibration();
  ASSERT_TRUE(calibration.ok()) << calibration.status();
  for (const float factor : {1e-6f, 1e6f}) {
    Calibration wrong = *calibration;
    for (auto& [name, input] : wrong.inputs) input = {input.scale * factor, !input.is_signed};
    Write(directory, CalibrationText(wrong));
    const auto model = Load(directory, {.numeric = Numeric::kInt8});
    ASSERT_NE(model, nullptr);
    EXPECT_LT(LeastCosine(exact, Describe(*model, {scenes[0]})), 0.999);
  }
}

// mAP of the queries over the database, plain average precision over the whole ranking.
double MeanAveragePrecision(const std::vector<std::vector<float>>& queries, const std::vector<int>& query_labels,
                            const std::vector<std::vector<float>>& database, const std::vector<int>& labels) {
  double sum = 0;
  for (size_t q = 0; q < queries.size(); ++q) {
    std::vector<std::pair<double, size_t>> ranking;
    for (size_t i = 0; i < database.size(); ++i) {
      ranking.emplace_back(-std::inner_product(queries[q].begin(), queries[q].end(), database[i].begin(), 0.0), i);
    }
    std::sort(ranking.begin(), ranking.end());
    double precision = 0;
    int found = 0;
    for (size_t rank = 0; rank < ranking.size(); ++rank) {
      if (labels[ranking[rank].second] != query_labels[q]) continue;
      precision += ++found / static_cast<double>(rank + 1);
    }
    sum += found > 0 ? precision / found : 0;
  }
  return sum / static_cast<double>(queries.size());
}

// ViT-Ti/16 of public weights on photographs of groceries: one product in nine by default, all of them with
// SIGHTLINE_SLOW_TESTS.
TEST_F(Int8Model, RealWeightsRankAsInFloats) {
  const char* const data = std::getenv("SIGHTLINE_SHARED_DATA");
  if (data == nullptr) GTEST_SKIP() << "SIGHTLINE_SHARED_DATA is not set";
  const std::string root = data;
  const std::string path = root + "/vit_tiny/vit_tiny_patch16_224_augreg_in21k_ft_in1k.safetensors";
  if (!std::filesystem::exists(path) || !std::filesystem::exists(root + "/grocery/test")) {
    GTEST_SKIP() << "ViT-Ti weights and grocery are not in SIGHTLINE_SHARED_DATA";
  }
  nlohmann::json config = nlohmann::json::parse(std::ifstream(std::string(SIGHTLINE_ZOO) + "/dtop_vit_b/model.json"));
  config["backbone"] = {{"type", "vit"},  {"dim", 192}, {"depth", 12}, {"heads", 3},
                        {"mlp_ratio", 4}, {"grid", 14}, {"patch", 16}};
  config["head"] = {{"type", "cls"}};
  config["preprocess"]["image_size"] = 224;
  config["preprocess"]["enlarge"] = true;
  config["preprocess"]["aspect_ratios"] = {1};
  config["preprocess"]["scales"] = {1};
  config["tokens"]["dim"] = 64;
  const std::string directory = Directory("vit_tiny", config);
  const auto file = base::MappedFile::Open(path, 64 << 20);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto parsed = weights::ParseSafetensors((*file)->bytes(), {});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  std::vector<weights::TensorView> tensors;
  for (weights::TensorView tensor : parsed->tensors) {
    if (tensor.name.starts_with("head.")) continue;
    tensor.name = "backbone." + tensor.name;
    tensors.push_back(std::move(tensor));
  }
  const auto bytes = weights::SerializeSafetensors(tensors, {});
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  std::ofstream(directory + "/weights.safetensors", std::ios::binary) << *bytes;

  const bool every = std::getenv("SIGHTLINE_SLOW_TESTS") != nullptr;
  std::map<std::string, std::vector<std::string>> paths;
  std::map<std::string, std::vector<int>> labels;
  for (const std::string split : {"test", "train"}) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(root + "/grocery/" + split)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      const int product = std::stoi(name.substr(0, 2));
      constexpr int kOneOf = 9;
      if (!every && product % kOneOf != 0) continue;
      paths[split].push_back(root + "/grocery/" + split + "/" + name);
      labels[split].push_back(product);
    }
  }
  const auto fp32 = Load(directory, {});
  const auto int8 = Load(directory, {.numeric = Numeric::kInt8});
  ASSERT_TRUE(fp32 && int8);
  std::map<std::string, std::vector<std::vector<float>>> exact, coarse;
  double least = 1, sum = 0;
  int count = 0;
  for (const std::string split : {"test", "train"}) {
    exact[split] = Describe(*fp32, paths[split]);
    coarse[split] = Describe(*int8, paths[split]);
    for (size_t i = 0; i < exact[split].size(); ++i) {
      const double cosine = Cosine(exact[split][i], coarse[split][i]);
      least = std::min(least, cosine);
      sum += cosine;
      ++count;
    }
  }
  const double of_exact = MeanAveragePrecision(exact["test"], labels["test"], exact["train"], labels["train"]);
  const double of_coarse = MeanAveragePrecision(coarse["test"], labels["test"], coarse["train"], labels["train"]);
  // A database from fp32 that is asked with int8, as when a server changes its numeric.
  const double of_both = MeanAveragePrecision(coarse["test"], labels["test"], exact["train"], labels["train"]);
  std::printf("%d images: cosine mean %.5f least %.5f; mAP fp32 %.4f int8 %.4f, int8 queries in fp32 %.4f\n", count,
              sum / count, least, of_exact, of_coarse, of_both);
  EXPECT_GE(least, kLeastCosine);
  EXPECT_NEAR(of_coarse, of_exact, 0.01);
  EXPECT_NEAR(of_both, of_exact, 0.01);
}

}  // namespace
}  // namespace sightline::model
