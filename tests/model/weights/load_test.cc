#include "model/weights/load.h"

#include <limits>
#include <string>
#include <vector>

#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config/model_config.h"
#include "model/registry.h"
#include "model/space.h"
#include "model/weights/seeded_init.h"

namespace sightline::model {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

weights::TensorView View(const std::string& name, const torch::Tensor& tensor, weights::DType dtype) {
  const auto bytes = static_cast<size_t>(tensor.numel()) * tensor.element_size();
  return {name, dtype, tensor.sizes().vec(), {static_cast<const char*>(tensor.data_ptr()), bytes}};
}

TEST(LoadTensorsTest, ConvertsEveryDTypeToFloat) {
  const torch::Tensor source = torch::tensor({0.5f, -2.0f, 3.0f});
  for (const auto& [dtype, type] :
       std::vector<std::pair<weights::DType, torch::ScalarType>>{{weights::DType::kF32, torch::kFloat},
                                                                 {weights::DType::kF16, torch::kHalf},
                                                                 {weights::DType::kBF16, torch::kBFloat16}}) {
    const torch::Tensor stored = source.to(type);
    const torch::Tensor target = torch::zeros({3});
    ASSERT_TRUE(LoadTensors({{View("w", stored, dtype)}, {}}, {{"w", target}}).ok());
    EXPECT_TRUE(target.equal(source)) << weights::DTypeName(dtype);
  }
}

TEST(LoadTensorsTest, ReportsEveryProblemAtOnce) {
  const torch::Tensor three = torch::ones({3});
  const torch::Tensor infinite = torch::full({2}, std::numeric_limits<float>::infinity());
  const torch::Tensor target = torch::zeros({2});
  const absl::Status status = LoadTensors(
      {{View("bad.shape", three, weights::DType::kF32), View("bad.value", infinite, weights::DType::kF32),
        View("surplus", three, weights::DType::kF32)},
       {}},
      {{"absent.one", target}, {"absent.two", target}, {"bad.shape", target}, {"bad.value", torch::zeros({2})}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::GetErrorInfo(status).reason, "WEIGHTS_MISMATCH");
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("2 missing: absent.one, absent.two"), HasSubstr("1 unexpected: \"surplus\""),
                    HasSubstr("bad.shape is (3) instead of (2)"), HasSubstr("1 not finite: bad.value")));
}

TEST(LoadTensorsTest, LeavesOutWhatOnlyTrainingNeeds) {
  const torch::Tensor one = torch::ones({1});
  EXPECT_TRUE(LoadTensors({{View("head.weight", one, weights::DType::kF32),
                            View("dtop.bn.num_batches_tracked", one, weights::DType::kF32)},
                           {}},
                          {})
                  .ok());
}

TEST(SpaceTest, ChangesWithOneValueOfOneTensor) {
  const auto backbone = ParseBackbone({{"type", "vit"}, {"dim", 16}, {"depth", 1}, {"heads", 2}, {"grid", 2}});
  const auto head = ParseHead({{"type", "dtop"}, {"layers", 1}, {"dim", 8}, {"aspp_dim", 4}});
  ASSERT_TRUE(backbone.ok() && head.ok());
  ModelConfig config;
  config.backbone = *backbone;
  config.head = *head;
  Network network(config.backbone, config.head);
  const std::vector<NamedTensor> tensors = InferenceTensors(network);
  InitialiseSeeded(tensors, 1, 1);
  const torch::Tensor projection = torch::eye(16);
  const Spaces before = ComputeSpaces(config, tensors, projection);
  EXPECT_EQ(ComputeSpaces(config, tensors, projection).embedding, before.embedding);

  const auto change = [&](const std::string& name, double delta) {
    torch::NoGradGuard no_grad;
    for (const NamedTensor& target : tensors) {
      if (target.name == name) target.tensor.view(-1)[0] += delta;
    }
    return ComputeSpaces(config, tensors, projection);
  };
  const Spaces head_changed = change("dtop.global_fc.weight", 1e-3);
  EXPECT_NE(head_changed.embedding, before.embedding);
  EXPECT_EQ(head_changed.token, before.token) << "the head does not decide tokens";
  const Spaces backbone_changed = change("backbone.norm.bias", 1e-3);
  EXPECT_NE(backbone_changed.embedding, head_changed.embedding);
  EXPECT_NE(backbone_changed.token, before.token);
  const Spaces statistics_changed = change("dtop.bn.running_mean", 1e-3);
  EXPECT_NE(statistics_changed.embedding, backbone_changed.embedding);
}

}  // namespace
}  // namespace sightline::model
