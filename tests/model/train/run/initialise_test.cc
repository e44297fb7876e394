// Where a network begins: as a plain ViT where it can, from the seed elsewhere.
#include "model/train/run/initialise.h"

#include <gmock/gmock.h>

#include <fstream>

#include "base/status.h"
#include "model/layers/layer.h"
#include "model/weights/seeded_init.h"
#include "tests/model/parity_files.h"
#include "tests/model/train/run/training_fixture.h"

namespace sightline::train {
namespace {

using nlohmann::json;

constexpr double kBatchNormEpsilon = 1e-5;

// A plain ViT with the transformer of MiniDtop, away from any seeded value.
class InitialiseTest : public ::testing::Test {
 protected:
  InitialiseTest() {
    json vit = MiniDtop();
    vit["backbone"] = {{"type", "vit"},  {"dim", 48}, {"depth", 2}, {"heads", 2},
                       {"mlp_ratio", 2}, {"grid", 4}, {"patch", 16}};
    vit["head"] = {{"type", "cls"}};
    const auto config = model::ParseModelConfig(vit.dump());
    EXPECT_TRUE(config.ok()) << config.status();
    plain_ = std::make_shared<model::Network>(config->backbone, config->head);
    torch::manual_seed(3);
    const auto tensors = model::InferenceTensors(*plain_);
    model::Randomise(tensors);
    model::Tensors file;
    for (const model::NamedTensor& tensor : tensors) file[tensor.name] = tensor.tensor;
    init_.checkpoint = (folder_.path() / "vit.safetensors").string();
    model::WriteTensors(init_.checkpoint, file);
    plain_->eval();
  }

  static json Hybrid() {
    json hybrid = MiniDtop();
    hybrid["backbone"]["linear_patches"] = true;
    hybrid["head"]["dim"] = 64;
    return hybrid;
  }

  model::ParityFolder folder_;
  std::shared_ptr<model::Network> plain_;
  InitConfig init_;
};

TEST_F(InitialiseTest, AHybridWithLinearPatchesBeginsAsThePlainVit) {
  const auto start = Initialise(Hybrid().dump(), init_, 7);
  ASSERT_TRUE(start.ok()) << start.status();
  EXPECT_THAT(start->table, ::testing::HasSubstr("linear patches"));
  const torch::NoGradGuard no_grad;
  start->network->eval();
  const torch::Tensor images = torch::randn({2, 3, 64, 80});
  const auto own = start->network->Look(images).layers.back();
  const auto wanted = plain_->Look(images).layers.back();
  ASSERT_EQ(own.sizes(), wanted.sizes());
  EXPECT_LT((own - wanted).abs().max().item<double>(), 1e-4);
}

TEST_F(InitialiseTest, WithoutLinearPatchesTheStemIsSeeded) {
  const auto start = Initialise(MiniDtop().dump(), init_, 7);
  ASSERT_TRUE(start.ok()) << start.status();
  const auto values = start->network->named_parameters();
  EXPECT_GT(values["backbone.patch_embed.proj.weight"].abs().max().item<double>(), 0);
  EXPECT_TRUE(
      values["backbone.blocks.1.mlp.fc1.weight"].equal(plain_->named_parameters()["backbone.blocks.1.mlp.fc1.weight"]));
}

TEST_F(InitialiseTest, AHeadMayBeginAsTheClassToken) {
  init_.class_token_head = true;
  const auto start = Initialise(Hybrid().dump(), init_, 7);
  ASSERT_TRUE(start.ok()) << start.status();
  const torch::NoGradGuard no_grad;
  start->network->eval();
  const torch::Tensor images = torch::randn({3, 3, 64, 64});
  const model::Features features = start->network->Look(images);
  const torch::Tensor descriptor = start->network->head().Forward(features);
  ASSERT_EQ(descriptor.size(1), 64);
  const torch::Tensor cls = features.layers.back().select(1, 0) / std::sqrt(1 + kBatchNormEpsilon);
  EXPECT_LT((descriptor.narrow(1, 0, 48) - cls).abs().max().item<double>(), 1e-4);
  // The rest is what patches say.
  EXPECT_GT(descriptor.narrow(1, 48, 16).abs().max().item<double>(), 1e-3);
}

TEST_F(InitialiseTest, AHeadThatCannotBeginAsTheClassTokenIsRefused) {
  init_.class_token_head = true;
  json narrow = Hybrid();
  narrow["head"]["dim"] = 40;
  const auto start = Initialise(narrow.dump(), init_, 7);
  EXPECT_EQ(base::GetErrorInfo(start.status()).reason, "INVALID_CONFIG") << start.status();
  json plain = Hybrid();
  plain["head"] = {{"type", "cls"}};
  EXPECT_EQ(base::GetErrorInfo(Initialise(plain.dump(), init_, 7).status()).reason, "INVALID_CONFIG");
}

TEST_F(InitialiseTest, ACheckpointOfSomethingElseIsRefused) {
  model::WriteTensors(init_.checkpoint, {{"other.weight", torch::ones({3, 3})}});
  EXPECT_FALSE(Initialise(Hybrid().dump(), init_, 7).ok());
  std::ofstream(init_.checkpoint) << "no tensors";
  EXPECT_FALSE(Initialise(Hybrid().dump(), init_, 7).ok());
}

}  // namespace
}  // namespace sightline::train
