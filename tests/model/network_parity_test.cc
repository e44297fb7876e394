// Networks on random weights against the Python reference in tests/parity, written from the equations alone.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "model/backbone/hybrid_stem.h"
#include "model/config/model_config.h"
#include "model/head/dtop.h"
#include "model/inference.h"
#include "model/registry.h"
#include "model/weights/load.h"
#include "model/weights/seeded_init.h"
#include "tests/model/parity_files.h"

namespace sightline::model {
namespace {

using nlohmann::json;

constexpr int kSeed = 20;

struct ParityCase {
  std::string name;
  json backbone;
  json head;
  std::vector<std::vector<int64_t>> sizes;  // (height, width) of every scale
  bool seeded = false;                      // the seeded initialisation instead of random weights
};

json SmallHybrid(int grid) {
  return {{"type", "hybrid_vit"},
          {"dim", 24},
          {"depth", 4},
          {"heads", 3},
          {"grid", grid},
          {"stem_channels", 8},
          {"groups", 4},
          {"stages",
           {{{"blocks", 2}, {"channels", 32}, {"stride", 1}},
            {{"blocks", 1}, {"channels", 48}, {"stride", 2}},
            {{"blocks", 2}, {"channels", 64}, {"stride", 2}}}}};
}

json HybridWithPatches() {
  json hybrid = SmallHybrid(5);
  hybrid["linear_patches"] = true;
  return hybrid;
}

json SmallVit() {
  return {{"type", "vit"}, {"dim", 32}, {"depth", 3}, {"heads", 4}, {"grid", 7}, {"patch", 16}, {"mlp_ratio", 3}};
}

json Head(int layers, const std::string& fuse) {
  return {{"type", "dtop"}, {"layers", layers}, {"dim", 40}, {"fuse", fuse}, {"expand", 2}, {"aspp_dim", 12}};
}

json ZooJson(const std::string& name) {
  return json::parse(std::ifstream(std::string(SIGHTLINE_ZOO) + "/" + name + "/model.json"));
}

void RunCase(const ParityCase& parity, const std::filesystem::path& folder) {
  torch::manual_seed(kSeed);
  torch::NoGradGuard no_grad;
  const auto backbone_config = ParseBackbone(parity.backbone);
  const auto head_config = ParseHead(parity.head);
  ASSERT_TRUE(backbone_config.ok() && head_config.ok()) << backbone_config.status() << head_config.status();
  Network network(*backbone_config, *head_config);
  const std::vector<NamedTensor> tensors = InferenceTensors(network);
  if (parity.seeded) {
    InitialiseSeeded(tensors, Facts(*backbone_config).layers, kSeed);
  } else {
    Randomise(tensors);
  }
  PlanInference(network);

  Tensors in, out;
  for (const NamedTensor& tensor : tensors) in[tensor.name] = tensor.tensor;
  std::vector<torch::Tensor> scales;
  for (size_t s = 0; s < parity.sizes.size(); ++s) {
    const std::string scale = std::to_string(s);
    const torch::Tensor images = torch::randn({2, 3, parity.sizes[s][0], parity.sizes[s][1]});
    in["image." + scale] = images;
    const Features features = network.Look(images);
    for (size_t i = 0; i < features.layers.size(); ++i) {
      out[scale + ".layer." + std::to_string(i)] = features.layers[i];
    }
    out[scale + ".cls_attention"] = features.cls_attention;
    if (const auto* hybrid = std::get_if<HybridVitConfig>(&*backbone_config)) {
      for (const auto& item : network.named_modules("", false)) {
        const auto* stem = dynamic_cast<const HybridStem*>(item.value().get());
        if (stem != nullptr) out[scale + ".stem"] = stem->Forward(images);
      }
      EXPECT_TRUE(out.contains(scale + ".stem")) << hybrid->groups;
    }
    const Dtop::Parts parts = dynamic_cast<Dtop&>(network.head()).ForwardParts(features);
    out[scale + ".u_c"] = parts.global;
    out[scale + ".y"] = parts.map;
    out[scale + ".elm"] = parts.local_map;
    out[scale + ".fused"] = parts.fused;
    out[scale + ".u_p"] = parts.local;
    out[scale + ".u"] = parts.result;
    scales.push_back(parts.result);
  }
  out["descriptor"] = MergeScales(scales);
  WriteTensors(folder / (parity.name + ".in.safetensors"), in);
  WriteTensors(folder / (parity.name + ".out.safetensors"), out);
  std::ofstream(folder / (parity.name + ".json"))
      << json{{"backbone", ToJson(*backbone_config)}, {"head", ToJson(*head_config)}};
}

TEST(NetworkParity, EveryPartAgreesWithTheReference) {
  std::printf("seed %d\n", kSeed);
  const ParityFolder folder;
  const json tiny = ZooJson("dtop_tiny");
  std::vector<ParityCase> cases = {
      {"hybrid_fast_norm_odd_size", SmallHybrid(7), Head(3, "fast_norm"), {{363, 282}}},
      {"hybrid_sum_equal_grid", SmallHybrid(6), Head(4, "sum"), {{96, 96}}},
      {"hybrid_softmax_three_scales", SmallHybrid(5), Head(2, "softmax"), {{80, 112}, {113, 159}, {57, 79}}},
      {"hybrid_linear_patches_odd_size", HybridWithPatches(), Head(2, "sum"), {{109, 141}}},
      {"vit_fast_norm_wide", SmallVit(), Head(3, "fast_norm"), {{96, 208}}},
      {"vit_one_layer", SmallVit(), Head(1, "softmax"), {{112, 112}}},
      {"dtop_tiny_seeded", tiny["backbone"], tiny["head"], {{176, 224}}, true},
  };
  // 100 M parameters take 2 GB and a minute in the reference.
  if (std::getenv("SIGHTLINE_SLOW_TESTS") != nullptr) {
    const json large = ZooJson("dtop_r50_vit_b");
    cases.push_back({"dtop_r50_vit_b", large["backbone"], large["head"], {{97, 131}}});
  }
  for (const ParityCase& parity : cases) RunCase(parity, folder.path());

  const int status = RunReference("check_dtop.py", folder.path());
  if (status == kNoTorch) GTEST_SKIP() << "python3-torch is not installed";
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace sightline::model
