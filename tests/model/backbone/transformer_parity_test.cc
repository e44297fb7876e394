// Transformer backbones on random weights against the Python reference in tests/parity, planned and unplanned.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "model/config/architecture.h"
#include "model/registry.h"
#include "model/weights/load.h"
#include "tests/model/parity_files.h"

namespace sightline::model {
namespace {

using nlohmann::json;

constexpr int kSeed = 41;

struct BackboneCase {
  std::string name;
  json backbone;
  int64_t height = 0;
  int64_t width = 0;
  int64_t layers = 1;
  bool torchvision = false;  // torchvision has the same network
  int64_t batch = 2;
};

json With(json base, const json& changes) {
  base.merge_patch(changes);  // null takes a member out
  return base;
}

json SmallVit(const json& changes = json::object()) {
  return With({{"type", "vit"}, {"dim", 24}, {"depth", 3}, {"heads", 3}, {"grid", 5}, {"patch", 8}, {"mlp_ratio", 3}},
              changes);
}

json SmallHybrid(const json& changes) {
  return With({{"type", "hybrid_vit"},
               {"dim", 24},
               {"depth", 2},
               {"heads", 2},
               {"grid", 4},
               {"stem_channels", 4},
               {"groups", 2},
               {"stages", {{{"blocks", 1}, {"channels", 16}, {"stride", 1}}}}},
              changes);
}

json SmallSwin(const json& changes = json::object()) {
  return With({{"type", "swin"}, {"dim", 8}, {"depths", {2, 3, 2}}, {"heads", {2, 1, 4}}, {"window", 7}}, changes);
}

json SmallCvt(const json& changes = json::object()) {
  return With({{"type", "cvt"}, {"dims", {8, 16, 24}}, {"depths", {1, 2, 3}}, {"heads", {1, 2, 3}}, {"mlp_ratio", 2}},
              changes);
}

std::vector<BackboneCase> Cases() {
  const json dinov2 = {{"patch", 14}, {"layer_scale", true}, {"position", "bicubic"}};
  return {
      {"vit_own_grid", SmallVit(), 40, 40, 2, true},
      {"vit_wide", SmallVit(), 24, 72, 3},
      {"vit_one_cell", SmallVit({{"patch", 16}}), 16, 16},
      {"vit_distilled", SmallVit({{"distilled", true}}), 56, 32, 2},
      {"vit_registers_with_rows", SmallVit({{"registers", 3}, {"qkv_bias", false}, {"norm_epsilon", 1e-3}}), 48, 40},
      {"vit_distilled_registers_class_rows",
       SmallVit({{"distilled", true}, {"registers", 2}, {"position_rows", "class"}}), 40, 48},
      {"dinov2", SmallVit(dinov2), 98, 56, 3},
      {"dinov2_registers", SmallVit(With(dinov2, {{"registers", 4}, {"position_rows", "class"}})), 42, 84, 2},
      {"dinov2_registers_timm", SmallVit(With(dinov2, {{"registers", 4}, {"position_rows", "patches"}})), 126, 28},
      {"vit_cpe", SmallVit({{"grid", nullptr}, {"position", "cpe"}, {"registers", 1}}), 40, 56, 3},
      {"vit_no_position", SmallVit({{"grid", nullptr}, {"position", "none"}}), 40, 56},
      {"hybrid_bicubic", SmallHybrid({{"position", "bicubic"}}), 29, 22},
      {"hybrid_cpe", SmallHybrid({{"grid", nullptr}, {"position", "cpe"}, {"layer_scale", true}}), 21, 34, 2},
      {"swin_windows", SmallSwin(), 112, 84, 1, true},
      {"swin_padded", SmallSwin(), 100, 60, 1, true},
      {"swin_one_axis_shifted", SmallSwin(), 28, 64, 1, true},
      {"swin_below_a_window", SmallSwin({{"window", 6}, {"mlp_ratio", 2}}), 12, 20, 1, true},
      {"swin_odd_pixels", SmallSwin({{"window", 4}}), 61, 90},
      {"swin_one_pixel", SmallSwin({{"window", 3}}), 1, 1},
      {"cvt", SmallCvt(), 64, 64, 3},
      {"cvt_odd", SmallCvt(), 61, 90, 2},
      {"cvt_flat", SmallCvt({{"dims", {6, 12}}, {"depths", {1, 1}}, {"heads", {2, 3}}}), 2, 75},
  };
}

void Collect(const Features& features, const std::string& way, Tensors& out) {
  for (size_t i = 0; i < features.layers.size(); ++i) out[way + "layer." + std::to_string(i)] = features.layers[i];
  for (size_t i = 0; i < features.maps.size(); ++i) out[way + "map." + std::to_string(i)] = features.maps[i];
  if (features.cls_attention.defined()) out[way + "cls_attention"] = features.cls_attention;
  if (features.rollout.defined()) out[way + "rollout"] = features.rollout;
}

void RunBackboneCase(const BackboneCase& one, const std::filesystem::path& folder) {
  torch::manual_seed(kSeed);
  torch::NoGradGuard no_grad;
  const auto config = ParseBackbone(one.backbone);
  ASSERT_TRUE(config.ok()) << one.name << config.status();
  const std::shared_ptr<Backbone> backbone = BuildBackbone(*config);
  const std::vector<NamedTensor> tensors = InferenceTensors(*backbone);
  Randomise(tensors);
  backbone->eval();

  Tensors in, out;
  for (const NamedTensor& tensor : tensors) in[tensor.name] = tensor.tensor;
  const torch::Tensor images = torch::randn({one.batch, 3, one.height, one.width});
  in["image"] = images;
  WriteTensors(folder / (one.name + ".in.safetensors"), in);

  const Wanted wanted{.layers = one.layers, .rollout = Facts(*config).rollout};
  Collect(backbone->Forward(images, wanted), "plain.", out);
  PlanInference(*backbone);
  const Features features = backbone->Forward(images, wanted);
  Collect(features, "planned.", out);
  WriteTensors(folder / (one.name + ".out.safetensors"), out);
  std::ofstream(folder / (one.name + ".json"))
      << json{{"backbone", ToJson(*config)}, {"layers", one.layers}, {"torchvision", one.torchvision}};

  EXPECT_EQ(LastMap(features).sizes(),
            (std::vector<int64_t>{one.batch, Facts(*config).dim, features.height, features.width}))
      << one.name;
  EXPECT_EQ(features.prefix > 0, Facts(*config).class_token) << one.name;
}

TEST(TransformerParity, EveryBackboneAgreesWithTheReference) {
  std::printf("seed %d\n", kSeed);
  const ParityFolder folder;
  for (const BackboneCase& one : Cases()) RunBackboneCase(one, folder.path());
  const Verdict verdict = RunReference("check_transformers.py", folder.path());
  if (verdict == Verdict::kNoTorch) GTEST_SKIP() << "python3-torch or python3-torchvision is not installed";
  EXPECT_EQ(verdict, Verdict::kAgrees);
}

}  // namespace
}  // namespace sightline::model
