// Heads on random weights and features against the Python reference in tests/parity, written from the equations alone.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "model/config/architecture.h"
#include "model/head/rmac.h"
#include "model/registry.h"
#include "model/weights/load.h"
#include "tests/model/parity_files.h"

namespace sightline::model {
namespace {

using nlohmann::json;
using NamedFeatures = std::map<std::string, Features>;

constexpr int kSeed = 41;
constexpr int64_t kDim = 24;
constexpr int64_t kEarlierDim = 16;  // of the map before the last

// Exponents and assignments where these methods have them.
void RandomiseHead(const std::vector<NamedTensor>& tensors) {
  Randomise(tensors);
  for (const NamedTensor& target : tensors) {
    torch::Tensor tensor = target.tensor;
    if (target.name.ends_with(".p")) tensor.uniform_(2, 4);
    if (target.name == "pool.conv.weight") tensor.normal_(0, 8);
  }
}

Features Maps(int64_t height, int64_t width, const std::function<torch::Tensor(const torch::Tensor&)>& shape) {
  Features features;
  features.maps = {shape(torch::randn({2, kEarlierDim, 2 * height, 2 * width - 1})),
                   shape(torch::randn({2, kDim, height, width}))};
  features.height = height;
  features.width = width;
  return features;
}

NamedFeatures MapFeatures() {
  const auto relu = [](const torch::Tensor& x) { return torch::relu(x); };
  const auto zero = [](const torch::Tensor& x) { return torch::zeros_like(x); };
  NamedFeatures all;
  all["square"] = Maps(7, 7, relu);
  all["wide"] = Maps(5, 11, relu);
  all["tall"] = Maps(13, 4, relu);
  all["signed"] = Maps(6, 8, [](const torch::Tensor& x) { return x; });
  all["channels_last"] =
      Maps(6, 5, [](const torch::Tensor& x) { return torch::relu(x).contiguous(torch::MemoryFormat::ChannelsLast); });
  all["point"] = Maps(1, 1, relu);
  all["line"] = Maps(1, 6, relu);
  all["zero"] = Maps(6, 6, zero);
  all["zero_channels"] = Maps(4, 6, [](const torch::Tensor& x) {
    torch::Tensor y = torch::relu(x);
    y.narrow(1, 3, 5).zero_();
    return y;
  });
  return all;
}

Features Tokens(int64_t height, int64_t width, int64_t prefix) {
  Features features;
  for (int i = 0; i < 3; ++i) features.layers.push_back(torch::randn({2, prefix + height * width, kDim}));
  features.prefix = prefix;
  features.height = height;
  features.width = width;
  return features;
}

// `classes`: sequences that begin with a class token only.
NamedFeatures TokenFeatures(bool classes) {
  NamedFeatures all;
  all["tokens"] = Tokens(5, 5, 1);
  all["tokens_wide"] = Tokens(3, 8, 1);
  all["registers"] = Tokens(6, 4, 5);
  all["one_token"] = Tokens(1, 1, 1);
  if (!classes) all["no_class"] = Tokens(4, 3, 0);
  return all;
}

enum class Over { kMaps, kTokens, kBoth };

struct HeadCase {
  std::string name;
  json head;
  Over over = Over::kBoth;
};

std::vector<HeadCase> Cases() {
  return {
      {"gap", {{"type", "gap"}}},
      {"gap_fc", {{"type", "gap"}, {"fc", {{"dim", 10}, {"l2_before", true}}}}},
      {"spoc", {{"type", "spoc"}}},
      {"spoc_plain", {{"type", "spoc"}, {"centre_prior", false}}},
      {"mac", {{"type", "mac"}}},
      {"crow", {{"type", "crow"}}},
      {"rmac", {{"type", "rmac"}}},
      {"rmac_levels", {{"type", "rmac"}, {"levels", 5}, {"fc", {{"dim", 9}, {"bias", false}}}}},
      {"gem", {{"type", "gem"}}},
      {"gem_fixed", {{"type", "gem"}, {"p", 2.5}}},
      {"gem_whiten", {{"type", "gem"}, {"fc", {{"dim", 12}, {"l2_before", true}}}}},
      {"gem_bn", {{"type", "gem"}, {"p", 3}, {"fc", {{"dim", 12}, {"bn", true}}}}},
      {"delg", {{"type", "delg"}, {"dim", 20}}},
      {"delg_learned", {{"type", "delg"}, {"dim", 20}, {"learned_p", true}}},
      {"solar", {{"type", "solar"}, {"dim", 20}}},
      {"linear", {{"type", "linear"}, {"dim", 11}}},
      {"diml", {{"type", "diml"}, {"dim", 11}}},
      {"cls", {{"type", "cls"}}, Over::kTokens},
      {"cls_fc", {{"type", "cls"}, {"fc", {{"dim", 13}, {"l2_before", true}, {"bn", true}}}}, Over::kTokens},
      {"irt", {{"type", "irt"}, {"fc", {{"dim", 13}}}}, Over::kTokens},
      {"glam", {{"type", "glam"}, {"dim", 14}, {"reduction", 4}}},
      {"glam_no_local", {{"type", "glam"}, {"dim", 14}, {"local_channel", false}, {"local_spatial", false}}},
      {"glam_no_global", {{"type", "glam"}, {"dim", 14}, {"global_channel", false}, {"global_spatial", false}}},
      {"glam_channel", {{"type", "glam"}, {"dim", 14}, {"local_spatial", false}, {"global_spatial", false}}},
      {"glam_spatial", {{"type", "glam"}, {"dim", 14}, {"local_channel", false}, {"global_channel", false}}},
      {"glam_none",
       {{"type", "glam"},
        {"local_channel", false},
        {"local_spatial", false},
        {"global_channel", false},
        {"global_spatial", false}}},
      {"netvlad", {{"type", "netvlad"}, {"clusters", 5}}},
      {"netvlad_wpca", {{"type", "netvlad"}, {"clusters", 6}, {"conv_bias", true}, {"wpca", 17}}},
      {"dolg", {{"type", "dolg"}, {"dim", 14}, {"hidden", 18}, {"aspp_dim", 7}}, Over::kMaps},
      {"dtop", {{"type", "dtop"}, {"layers", 3}, {"dim", 20}, {"aspp_dim", 6}}, Over::kTokens},
      {"dtop_global", {{"type", "dtop"}, {"layers", 3}, {"dim", 20}, {"local", false}}, Over::kTokens},
      {"dtop_local", {{"type", "dtop"}, {"layers", 3}, {"dim", 20}, {"global", false}, {"aspp_dim", 6}}, Over::kTokens},
      {"dtop_no_elm", {{"type", "dtop"}, {"layers", 3}, {"dim", 20}, {"elm", false}}, Over::kTokens},
      {"dtop_local_no_elm",
       {{"type", "dtop"}, {"layers", 3}, {"dim", 20}, {"global", false}, {"elm", false}},
       Over::kTokens},
      {"dtop_base", {{"type", "dtop"}, {"global", false}, {"local", false}}, Over::kTokens},
  };
}

int64_t ParameterValues(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const torch::Tensor& parameter : module.parameters()) count += parameter.numel();
  return count;
}

void RunCase(const HeadCase& parity, const std::filesystem::path& folder) {
  SCOPED_TRACE(parity.name);
  torch::manual_seed(kSeed);
  const auto config = ParseHead(parity.head);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(ToJson(*ParseHead(ToJson(*config))), ToJson(*config));
  const BackboneFacts facts{.dim = kDim, .layers = 3, .class_token = true, .maps = {kEarlierDim, kDim}};
  const std::shared_ptr<Head> head = BuildHead(*config, facts);
  EXPECT_EQ(ParameterValues(*head), std::visit([&facts](const auto& one) { return one.parameters(facts); }, *config));
  const std::vector<NamedTensor> tensors = InferenceTensors(*head);
  RandomiseHead(tensors);
  head->eval();

  NamedFeatures all;
  if (parity.over != Over::kTokens) all.merge(MapFeatures());
  if (parity.over != Over::kMaps) all.merge(TokenFeatures(parity.over == Over::kTokens));
  Tensors in, out;
  json described = json::object();
  for (const NamedTensor& tensor : tensors) in["weight." + tensor.name] = tensor.tensor;
  for (const auto& [name, features] : all) {
    for (size_t i = 0; i < features.maps.size(); ++i) in[name + ".map." + std::to_string(i)] = features.maps[i];
    for (size_t i = 0; i < features.layers.size(); ++i) in[name + ".layer." + std::to_string(i)] = features.layers[i];
    described[name] = {{"prefix", features.prefix}, {"height", features.height}, {"width", features.width}};
    out[name + ".plain"] = head->Forward(features);
  }
  PlanInference(*head);
  for (const auto& [name, features] : all) {
    out[name + ".planned"] = head->Forward(features);
    const torch::Tensor tokens = head->ProjectTokens(LastMap(features).flatten(2).transpose(1, 2));
    if (tokens.defined()) out[name + ".tokens"] = tokens;
    EXPECT_EQ(out[name + ".planned"].size(1),
              std::visit([&facts](const auto& one) { return one.descriptor_dim(facts); }, *config));
  }
  WriteTensors(folder / (parity.name + ".in.safetensors"), in);
  WriteTensors(folder / (parity.name + ".out.safetensors"), out);
  std::ofstream(folder / (parity.name + ".json")) << json{{"head", ToJson(*config)}, {"features", described}};
}

void WriteRegions(const std::filesystem::path& path) {
  std::ofstream file(path);
  std::vector<std::pair<int, int>> sizes;
  for (int height = 1; height <= 20; ++height) {
    for (int width = 1; width <= 20; ++width) sizes.push_back({height, width});
  }
  for (int side = 21; side < 130; side += 7) {
    sizes.push_back({side, 3 * side / 4});
    sizes.push_back({side / 5, side});
  }
  for (const auto& [height, width] : sizes) {
    for (const int levels : {3, 5}) {
      file << height << ' ' << width << ' ' << levels;
      for (const Region& region : RmacRegions(height, width, levels)) {
        file << ' ' << region.top << ' ' << region.left << ' ' << region.side;
      }
      file << '\n';
    }
  }
}

TEST(HeadParity, EveryHeadAgreesWithTheReference) {
  std::printf("seed %d\n", kSeed);
  torch::NoGradGuard no_grad;
  const ParityFolder folder;
  for (const HeadCase& parity : Cases()) RunCase(parity, folder.path());
  WriteRegions(folder.path() / "regions.txt");
  const int status = RunReference("check_heads.py", folder.path());
  if (status == kNoTorch) GTEST_SKIP() << "python3-torch is not installed";
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace sightline::model
