// The plain ViT on real weights: ViT-Ti/16 must name the class of every test photograph. Skipped where the material is
// absent ($SIGHTLINE_SHARED_DATA/vit_tiny and imagenet17).
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "gtest/gtest.h"
#include "model/backbone/vit.h"
#include "model/image/decode.h"
#include "model/image/resize.h"
#include "model/preprocess/planes.h"
#include "model/weights/load.h"
#include "model/weights/safetensors.h"

namespace sightline::model {
namespace {

constexpr int kClasses = 1000;

// The recipe the weights are evaluated with: short side 248, bicubic, the middle 224 x 224, mean and std 0.5.
torch::Tensor LoadImage(const std::string& path) {
  const auto encoded = base::ReadFile(path, 16 << 20);
  EXPECT_TRUE(encoded.ok()) << encoded.status();
  const auto decoded = image::Decode(*encoded, {}, {});
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  const PreprocessConfig config{.mode = ResizeMode::kCentreCrop, .short_side = 248, .image_size = 224};
  const image::Image middle = ResizePlane(config, *decoded, {0, 0, decoded->width, decoded->height}, {224, 224});
  const std::vector<float> chw = image::ToChw(middle, {0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f});
  return torch::tensor(chw).view({1, 3, 224, 224});
}

// Puts the public file's names under the backbone's.
weights::Safetensors BackbonePart(const weights::Safetensors& file) {
  weights::Safetensors part;
  for (const weights::TensorView& tensor : file.tensors) {
    if (!tensor.name.starts_with("head.")) part.tensors.push_back(tensor);
  }
  return part;
}

TEST(VitTiny, NamesTheClassOfEveryTestPhotograph) {
  const char* const data = std::getenv("SIGHTLINE_SHARED_DATA");
  if (data == nullptr) GTEST_SKIP() << "SIGHTLINE_SHARED_DATA is not set";
  const std::string root = data;
  const std::string path = root + "/vit_tiny/vit_tiny_patch16_224_augreg_in21k_ft_in1k.safetensors";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "ViT-Ti weights are not in SIGHTLINE_SHARED_DATA";

  const auto file = base::MappedFile::Open(path, 64 << 20);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto parsed = weights::ParseSafetensors((*file)->bytes(), {});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->tensors.size(), 152u);

  const auto vit =
      BuildVit({.encoder = {.dim = 192, .depth = 12, .heads = 3, .mlp_ratio = 4, .grid = 14}, .patch = 16});
  const absl::Status loaded = LoadTensors(BackbonePart(*parsed), InferenceTensors(*vit));
  ASSERT_TRUE(loaded.ok()) << loaded;
  PlanInference(*vit);
  const torch::Tensor weight = torch::empty({kClasses, 192});
  const torch::Tensor bias = torch::empty({kClasses});
  weights::Safetensors head;
  for (const weights::TensorView& tensor : parsed->tensors) {
    if (tensor.name.starts_with("head.")) head.tensors.push_back(tensor);
  }
  ASSERT_TRUE(LoadTensors(head, {{"head.bias", bias}, {"head.weight", weight}}).ok());

  std::map<std::string, int> index;
  std::ifstream synsets(root + "/imagenet17/synsets.txt");
  std::string line;
  for (int i = 0; std::getline(synsets, line); ++i) index[line.substr(0, line.find(' '))] = i;
  ASSERT_EQ(index.size(), static_cast<size_t>(kClasses));

  torch::NoGradGuard no_grad;
  int images = 0;
  for (const auto& entry : std::filesystem::directory_iterator(root + "/imagenet17")) {
    if (entry.path().extension() != ".JPEG") continue;
    const std::string name = entry.path().filename().string();
    const Features features = vit->Forward(LoadImage(entry.path().string()), {});
    const torch::Tensor logits = torch::linear(features.layers.back().select(1, 0), weight, bias);
    EXPECT_EQ(logits.argmax(1).item<int64_t>(), index.at(name.substr(0, name.find('_')))) << name;
    ++images;
  }
  EXPECT_EQ(images, 17);
}

}  // namespace
}  // namespace sightline::model
