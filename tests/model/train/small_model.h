// What the tests of fits share: a small model with weights, and pictures to fit it to.
#ifndef SIGHTLINE_TESTS_MODEL_TRAIN_SMALL_MODEL_H_
#define SIGHTLINE_TESTS_MODEL_TRAIN_SMALL_MODEL_H_

#include <gtest/gtest.h>
#include <torch/torch.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "model/config/model_config.h"
#include "model/registry.h"
#include "model/train/command.h"
#include "model/weights/load.h"
#include "model/weights/safetensors.h"
#include "model/weights/seeded_init.h"

namespace sightline::train {

inline constexpr int kDim = 24;

inline nlohmann::json SmallModel() {
  return {{"format", 1},
          {"name", "small"},
          {"provenance", "Made by a test."},
          {"backbone",
           {{"type", "vit"}, {"dim", kDim}, {"depth", 2}, {"heads", 2}, {"grid", 3}, {"patch", 16}, {"mlp_ratio", 2}}},
          {"head", {{"type", "gem"}}},
          {"preprocess",
           {{"version", 1},
            {"image_size", 48},
            {"enlarge", true},
            {"filter", "bicubic"},
            {"mean", {0.5, 0.5, 0.5}},
            {"std", {0.5, 0.5, 0.5}},
            {"aspect_ratios", {1}},
            {"scales", {1}}}},
          {"tokens",
           {{"dim", 8}, {"projection", {{"type", "orthonormal"}, {"seed", 1}}}, {"importance", "cls_attention"}}}};
}

inline void WriteTensors(const std::string& path, const std::vector<std::pair<std::string, torch::Tensor>>& tensors,
                         const std::map<std::string, std::string>& metadata = {}, const std::string& records = "") {
  std::vector<weights::TensorView> views;
  for (const auto& [name, tensor] : tensors) {
    const auto bytes = static_cast<size_t>(tensor.numel()) * sizeof(float);
    views.push_back({name,
                     weights::DType::kF32,
                     tensor.sizes().vec(),
                     {reinterpret_cast<const char*>(tensor.data_ptr<float>()), bytes}});
  }
  if (!records.empty()) {
    views.push_back({"records", weights::DType::kU8, {static_cast<int64_t>(records.size())}, records});
  }
  const auto file = weights::SerializeSafetensors(views, metadata);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE(base::WriteFileDurably(path, *file).ok());
}

// A small model with weights, and pictures of four things, six views of each.
class SmallModelTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::filesystem::path(::testing::TempDir()) / ("small_model_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_ / "model");
    const std::string text = SmallModel().dump();
    std::ofstream(folder_ / "model" / "model.json") << text;
    const auto config = model::ParseModelConfig(text);
    ASSERT_TRUE(config.ok()) << config.status();
    model::Network network(config->backbone, config->head);
    const std::vector<model::NamedTensor> tensors = model::InferenceTensors(network);
    model::InitialiseSeeded(tensors, 2, 5);
    std::vector<std::pair<std::string, torch::Tensor>> named;
    for (const auto& tensor : tensors) named.emplace_back(tensor.name, tensor.tensor.detach());
    WriteTensors(Path("model") + "/weights.safetensors", named, {{"format", "pt"}});

    ::testing::internal::CaptureStdout();
    ASSERT_TRUE(ScenesCommand().run({"--out", Path("scenes"), "--instances=4", "--views=6", "--size=48"}).ok());
    ::testing::internal::GetCapturedStdout();
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "scenes")) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with("instance_")) continue;
      const std::filesystem::path thing = folder_ / "things" / name.substr(0, 12);
      std::filesystem::create_directories(thing);
      std::filesystem::copy_file(entry.path(), thing / name);
    }
    std::ofstream(folder_ / "things" / "notes.txt") << "no image";
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder_); }

  static std::string Path(const std::string& name) { return (folder_ / name).string(); }

  static inline std::filesystem::path folder_;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_TESTS_MODEL_TRAIN_SMALL_MODEL_H_
