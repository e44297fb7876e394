// What the tests of training runs share: generated scenes, a small model and a configuration for them.
#ifndef SIGHTLINE_TESTS_MODEL_TRAIN_RUN_TRAINING_FIXTURE_H_
#define SIGHTLINE_TESTS_MODEL_TRAIN_RUN_TRAINING_FIXTURE_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "base/file.h"
#include "model/train/run/train_config.h"
#include "model/train/run/trainer.h"
#include "model/train/scene/dataset.h"

namespace sightline::train {

// A DToP of 48 channels and two blocks for photographs of 64 x 64 pixels.
inline nlohmann::json MiniDtop() {
  const auto stage = [](int channels, int stride) {
    return nlohmann::json{{"blocks", 1}, {"channels", channels}, {"stride", stride}};
  };
  return {
      {"format", 1},
      {"name", "mini"},
      {"provenance", "Made by a test."},
      {"seed", 1},
      {"backbone",
       {{"type", "hybrid_vit"},
        {"dim", 48},
        {"depth", 2},
        {"heads", 2},
        {"mlp_ratio", 2},
        {"grid", 4},
        {"stem_channels", 16},
        {"groups", 1},
        {"stages", {stage(32, 1), stage(48, 2), stage(64, 2)}}}},
      {"head", {{"type", "dtop"}, {"layers", 2}, {"dim", 48}, {"fuse", "fast_norm"}, {"expand", 2}, {"aspp_dim", 16}}},
      {"preprocess",
       {{"version", 1},
        {"mode", "squash"},
        {"image_size", 64},
        {"size_multiple", 16},
        {"filter", "bicubic"},
        {"mean", {0.5, 0.5, 0.5}},
        {"std", {0.5, 0.5, 0.5}},
        {"aspect_ratios", nlohmann::json::array()},
        {"scales", {1}}}},
      {"tokens",
       {{"dim", 16}, {"projection", {{"type", "orthonormal"}, {"seed", 1}}}, {"importance", "cls_attention"}}}};
}

class TrainingTest : public ::testing::Test {
 protected:
  static constexpr int kThings = 12;

  static void SetUpTestSuite() {
    folder_ = std::filesystem::path(::testing::TempDir()) / ("training_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    ASSERT_TRUE(
        scene::GenerateScenes({.directory = Path("scenes"), .instances = kThings, .views = 6, .side = 80, .seed = 11})
            .ok());
    // The generator's list with the column names of a training list.
    std::ifstream in(Path("scenes/labels.csv"));
    std::ofstream out(Path("scenes/list.csv"));
    std::string line;
    std::getline(in, line);
    out << "path,label" << line.substr(std::string("path,instance").size()) << "\n";
    while (std::getline(in, line)) out << line << "\n";
    std::ofstream(Path("mini.json")) << MiniDtop().dump();
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder_); }

  static std::string Path(const std::string& name) { return (folder_ / name).string(); }

  // ArcFace with everything that draws random numbers or keeps state.
  static nlohmann::json Config() {
    const nlohmann::json all = {{"layout", "csv"}, {"root", Path("scenes")}, {"list", "list.csv"}};
    nlohmann::json train = all;
    train["split"] = "index";
    return {{"model", Path("mini.json")},
            {"data", train},
            {"validation", {{"protocol", "split"}, {"data", all}}},
            {"sampler", {{"batch", 12}, {"per_class", 2}, {"sizes", {{64, 64}}}}},
            {"augment", {{"crop_area", 0.7}, {"flip", 0.5}, {"brightness", 0.2}}},
            {"loss", {{"kind", "arcface"}}},
            {"optimiser", {{"kind", "adamw"}, {"lr", 0.002}}},
            {"schedule", {{"kind", "cosine"}, {"warmup_steps", 2}}},
            {"steps", 9},
            {"checkpoint_every", 3},
            {"validate_every", 4},
            {"ema", 0.9},
            {"dropout", 0.2},
            {"wave_height", 0.3},
            {"seed", 5}};
  }

  static absl::StatusOr<TrainOutcome> RunTraining(const nlohmann::json& json, const std::string& out,
                                                  TrainOptions options = {}) {
    auto config = ParseTrainConfig(json.dump(), "test.json");
    if (!config.ok()) return config.status();
    config->out = Path(out);
    options.threads = 1;  // alone on a busy machine, and the same bits everywhere
    return Train(*config, options);
  }

  static std::string Weights(const std::string& out) {
    auto bytes = base::ReadFile(Path(out) + "/model/weights.safetensors", 1 << 30);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    return bytes.ok() ? *bytes : "";
  }

  static inline std::filesystem::path folder_;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_TESTS_MODEL_TRAIN_RUN_TRAINING_FIXTURE_H_
