// Embedding again: with a model that only adds a whitening, which needs no images; on a device that is lost on the way.
#include "server/services/reembedding.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "model/device/device.h"
#include "model/image/encode.h"
#include "tests/support/fake_model.h"
#include "tests/support/temp_folder.h"

namespace sightline::server {
namespace {

using sightline::testing::FakeModel;

constexpr int kImages = 40;  // more than go together

class WhiteningAgain : public ::testing::Test {
 protected:
  WhiteningAgain() {
    base::SetLogLevel(base::Severity::kOff);
    std::filesystem::create_directories(folder_.path() + "/models/white");
    std::ofstream(folder_.path() + "/models/white/model.json") << "{}";
    ModelHub::Options options;
    options.root = folder_.path() + "/models";
    options.warm_up = WarmUp::kNone;
    options.placement = {.devices = {{.cuda = true}}, .or_cpu = true};
    options.load = [this](const std::string&,
                          const model::LoadOptions& load) -> absl::StatusOr<std::unique_ptr<model::Model>> {
      auto model = std::make_unique<FakeModel>("white-space", load.device.cuda ? 1.0f : 2.0f);
      model->SetBareSpace(bare_space_);
      if (load.device.cuda) model->Fail(card_);
      return model;
    };
    hub_ = std::make_unique<ModelHub>(options, limits_, metrics_);
    auto database = index::Database::Open({.directory = folder_.path() + "/data"});
    EXPECT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
    index::CollectionConfig config;
    config.name = "shop";
    config.model = "plain";
    config.embedding_space = "plain-space";
    config.descriptor_dim = 4;
    config.drop_tokens = true;  // the fake model has none
    config.keep_image = index::KeepImage::kOriginal;
    auto collection = database_->Create(config);
    EXPECT_TRUE(collection.ok()) << collection.status();
    for (int i = 0; i < kImages; ++i) {
      index::Write write;
      write.record.id = absl::StrCat("id", i);
      write.record.descriptor = {1, static_cast<float>(i), 2, 3};
      EXPECT_TRUE((*collection)->Put(write).ok());
    }
  }

  absl::StatusOr<v1::ReembedCollectionResult> Run() {
    const auto loaded = hub_->Load("white");
    if (!loaded.ok()) return loaded.status();
    v1::ReembedCollectionRequest request;
    request.set_name("shop");
    request.set_model("white");
    request.set_embedding_space("white-space");
    const index::Progress progress = [](int64_t, int64_t) { return true; };
    return Reembedding(*database_, *hub_, embedder_, request, progress).Run();
  }

  sightline::testing::TempFolder folder_;
  std::string bare_space_ = "plain-space";
  absl::Status card_;  // what it says to every batch
  Limits limits_;
  Metrics metrics_;
  Embedder embedder_{{}, limits_, metrics_};
  std::unique_ptr<ModelHub> hub_;
  std::unique_ptr<index::Database> database_;
};

TEST_F(WhiteningAgain, TransformsWhatIsStored) {
  const auto before = *database_->Find("shop");
  const auto result = Run();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->embedded(), kImages);
  const auto after = *database_->Find("shop");
  EXPECT_EQ(after->config().embedding_space, "white-space");
  ASSERT_EQ(after->Stats().images, kImages);
  for (int i = 0; i < kImages; ++i) {
    const auto was = before->Get(absl::StrCat("id", i), index::RecordView::kVectors);
    const auto is = after->Get(absl::StrCat("id", i), index::RecordView::kVectors);
    ASSERT_TRUE(was.ok() && is.ok());
    ASSERT_EQ(is->descriptor.size(), 4u);
    for (size_t v = 0; v < 4; ++v) EXPECT_NEAR(is->descriptor[v], was->descriptor[3 - v], 1e-6) << i;
    EXPECT_EQ(is->revision, was->revision);
  }
}

TEST_F(WhiteningAgain, AnotherModelsWhiteningNeedsTheImages) {
  bare_space_ = "some-other-space";
  const auto result = Run();
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(base::GetErrorInfo(result.status()).reason, "IMAGES_NOT_EMBEDDED") << result.status();
  EXPECT_EQ((*database_->Find("shop"))->config().embedding_space, "plain-space");
}

TEST_F(WhiteningAgain, TheCpuTakesOverFromALostCard) {
  bare_space_ = "";
  card_ = base::Error(absl::StatusCode::kInternal, model::kDeviceFailed, "the device failed: bus. Try again.");
  const image::Image picture{
      .width = 8, .height = 8, .rgb = std::vector<uint8_t>(8 * 8 * 3, 100), .original_width = 8, .original_height = 8};
  for (int i = 0; i < kImages; ++i) {
    index::Write write;
    write.record.id = absl::StrCat("id", i);
    write.record.descriptor = {1, 2, 3, 4};
    write.record.image = *image::EncodeJpeg(picture, 90);
    write.record.image_kind = index::KeepImage::kOriginal;
    ASSERT_TRUE((*database_->Find("shop"))->Put(write).ok());
  }
  const auto result = Run();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->embedded(), kImages);
  const auto after = *database_->Find("shop");
  ASSERT_EQ(after->Stats().images, kImages);
  // The descriptors are normalised, and the CPU's mark is twice the card's.
  const auto record = after->Get("id7", index::RecordView::kVectors);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_NEAR(record->descriptor[2], 2 * record->descriptor[1], 1e-6);
}

}  // namespace
}  // namespace sightline::server
