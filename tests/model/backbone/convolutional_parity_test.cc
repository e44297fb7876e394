// ResNets and VGGs on random weights against torchvision and the reference in tests/parity.
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "model/backbone/second_order.h"
#include "model/registry.h"
#include "tests/model/parity_files.h"

namespace sightline::model {
namespace {

using nlohmann::json;

constexpr int kConvolutionalSeed = 41;

struct ConvolutionalCase {
  std::string name;
  json backbone;
  std::vector<std::vector<int64_t>> sizes;  // (height, width)
  std::string torchvision = "";             // the function that builds the same network; empty: the own reference
  bool train = false;                       // also a training step's outputs and gradients, at the first size
};

json SmallResnet(std::vector<int> blocks, json more = json::object()) {
  json config = {{"type", "resnet"}, {"blocks", std::move(blocks)}, {"width", 8}};
  config.update(more);
  return config;
}

void AddMaps(const std::string& prefix, const Features& features, size_t maps, Tensors& out) {
  ASSERT_EQ(features.maps.size(), maps);
  EXPECT_TRUE(features.layers.empty());
  EXPECT_EQ(features.prefix, 0);
  EXPECT_EQ(features.height, features.maps.back().size(2));
  EXPECT_EQ(features.width, features.maps.back().size(3));
  // Copies, since a later pass may write into what an earlier one returned.
  for (size_t i = 0; i < maps; ++i) out[prefix + ".map." + std::to_string(i)] = features.maps[i].detach().clone();
}

void RunConvolutionalCase(const ConvolutionalCase& parity, const std::filesystem::path& folder) {
  SCOPED_TRACE(parity.name);
  torch::manual_seed(kConvolutionalSeed);
  const auto config = ParseBackbone(parity.backbone);
  ASSERT_TRUE(config.ok()) << config.status();
  const std::shared_ptr<Backbone> backbone = BuildBackbone(*config);
  Randomise(InferenceTensors(*backbone));
  int64_t parameters = 0;
  for (const torch::Tensor& parameter : backbone->parameters()) parameters += parameter.numel();
  EXPECT_EQ(parameters, CountParameters(*config));

  Tensors in, out;
  for (const NamedTensor& tensor : InferenceTensors(*backbone)) in[tensor.name] = tensor.tensor.detach().clone();
  const auto maps = static_cast<int64_t>(Facts(*config).maps.size());
  for (size_t i = 0; i < parity.sizes.size(); ++i) {
    in["image." + std::to_string(i)] = torch::randn({2, 3, parity.sizes[i][0], parity.sizes[i][1]});
  }
  for (const bool planned : {false, true}) {
    torch::NoGradGuard no_grad;
    backbone->eval();
    if (planned) PlanInference(*backbone);
    for (size_t i = 0; i < parity.sizes.size(); ++i) {
      const std::string number = std::to_string(i);
      const torch::Tensor images = in["image." + number].clone();
      AddMaps((planned ? "planned." : "plain.") + number, backbone->Forward(images, {.maps = maps}),
              static_cast<size_t>(maps), out);
      EXPECT_TRUE(images.equal(in["image." + number])) << "the images must be left alone";
      const torch::Tensor last = backbone->Forward(images, {}).maps.back();
      EXPECT_TRUE(torch::allclose(
          last, out.at((planned ? "planned." : "plain.") + number + ".map." + std::to_string(maps - 1)), 1e-5, 1e-5))
          << "the last map must not depend on how many are asked for";
    }
  }
  if (parity.train) {
    backbone->train();
    const Features features = backbone->Forward(in["image.0"], {.maps = maps});
    AddMaps("train.0", features, static_cast<size_t>(maps), out);
    torch::Tensor loss = torch::zeros({});
    for (const torch::Tensor& map : features.maps) loss = loss + map.square().mean();
    loss.backward();
    for (const auto& item : backbone->named_parameters()) {
      ASSERT_TRUE(item.value().grad().defined()) << item.key();
      out["train.grad." + item.key()] = item.value().grad();
    }
  }
  WriteTensors(folder / (parity.name + ".in.safetensors"), in);
  WriteTensors(folder / (parity.name + ".out.safetensors"), out);
  std::ofstream(folder / (parity.name + ".json"))
      << json{{"backbone", ToJson(*config)}, {"torchvision", parity.torchvision}, {"train", parity.train}};
}

TEST(ConvolutionalParity, EveryMapAgreesWithTheReference) {
  std::printf("seed %d\n", kConvolutionalSeed);
  const json resnet18 = {{"type", "resnet"}, {"block", "basic"}, {"blocks", {2, 2, 2, 2}}};
  const json narrow_vgg = {{"type", "vgg"}, {"convs", {2, 1, 1, 2, 3}}, {"width", 4}};
  json to_conv = narrow_vgg, to_pool = narrow_vgg;
  to_conv["end"] = "conv";
  to_pool["end"] = "pool";
  const std::vector<ConvolutionalCase> cases = {
      {"resnet18", resnet18, {{97, 131}, {32, 64}}, "resnet18"},
      {"resnet50_bgr", {{"type", "resnet"}, {"channel_order", "bgr"}}, {{65, 91}}, "resnet50"},
      {"vgg16", {{"type", "vgg"}}, {{61, 45}}, "vgg16"},
      {"bottleneck", SmallResnet({2, 1, 2, 2}), {{75, 53}, {1, 1}, {33, 2}}, "", true},
      {"bottleneck_v1_bgr",
       SmallResnet({1, 2, 2, 1}, {{"stride_on", "1x1"}, {"channel_order", "bgr"}}),
       {{75, 54}},
       "",
       true},
      {"basic_last_stride_1",
       SmallResnet({1, 2, 1, 2}, {{"block", "basic"}, {"last_stride", 1}}),
       {{97, 80}},
       "",
       true},
      {"three_stages", SmallResnet({1, 1, 2}), {{64, 49}}},
      {"one_stage_basic", SmallResnet({2}, {{"block", "basic"}}), {{31, 64}}},
      {"second_order", SmallResnet({1, 1, 2, 1}, {{"soa4", 6}, {"soa5", 10}}), {{129, 97}, {1, 1}}, "", true},
      {"second_order_trunk", SmallResnet({1, 1, 1}, {{"soa4", 5}}), {{65, 100}}},
      {"vgg_relu", narrow_vgg, {{47, 80}, {3, 40}}, "", true},
      {"vgg_conv", to_conv, {{47, 81}}},
      {"vgg_pool", to_pool, {{66, 95}, {1, 31}}},
  };
  const ParityFolder folder;
  for (const ConvolutionalCase& parity : cases) RunConvolutionalCase(parity, folder.path());
  const int status = RunReference("check_convolutional.py", folder.path());
  if (status == kNoTorch) GTEST_SKIP() << "python3-torch or python3-torchvision is not installed";
  EXPECT_EQ(status, 0);
}

TEST(SecondOrderAttention, InPiecesEqualsAtOnce) {
  torch::manual_seed(kConvolutionalSeed);
  torch::NoGradGuard no_grad;
  SecondOrderAttention attention(12, 5);
  Randomise(InferenceTensors(attention));
  PlanInference(attention);
  const torch::Tensor x = torch::randn({2, 12, 7, 5}).contiguous(torch::MemoryFormat::ChannelsLast);
  const torch::Tensor whole = attention.Forward(x);
  for (const int64_t rows : {1, 4, 34}) {
    const torch::Tensor pieces = attention.Forward(x, 2 * 35 * rows);
    EXPECT_TRUE(torch::allclose(pieces, whole, 1e-5, 1e-6)) << rows;
  }
  EXPECT_FALSE(torch::allclose(x, whole, 0.1, 0.1));
}

}  // namespace
}  // namespace sightline::model
