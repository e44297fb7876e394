// What tests of the hub and of embedding share: a folder of models that have no network, an image, a hub, an embedder.
#ifndef SIGHTLINE_TESTS_SERVER_MODEL_HUB_FIXTURE_H_
#define SIGHTLINE_TESTS_SERVER_MODEL_HUB_FIXTURE_H_

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "model/image/encode.h"
#include "server/embedder.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/model_hub.h"
#include "tests/support/fake_model.h"
#include "tests/support/temp_folder.h"

namespace sightline::server {

class HubFixture : public ::testing::Test {
 protected:
  HubFixture() {
    base::SetLogLevel(base::Severity::kOff);
    const image::Image picture{.width = 8,
                               .height = 8,
                               .rgb = std::vector<uint8_t>(8 * 8 * 3, 100),
                               .original_width = 8,
                               .original_height = 8};
    image_ = *image::EncodeJpeg(picture, 90);
  }
  ~HubFixture() override {
    hub_.reset();
    embedder_.reset();
    EXPECT_EQ(testing::FakeModel::alive(), 0) << "every model goes in the end";
  }

  void AddFolder(const std::string& name) {
    std::filesystem::create_directories(folder_.path() + "/" + name);
    std::ofstream(folder_.path() + "/" + name + "/model.json") << "{}";
  }

  // With the limits as they are now. Models that compute in one thread, and room for `cores` of them to run at once.
  void MakeHub(ModelHub::Options options, int cores, image::Decoder* decoder = nullptr) {
    hub_.reset();
    options.root = folder_.path();
    options.cores = cores;
    options.load_options.intra_op_threads = 1;
    embedder_ = std::make_unique<Embedder>(Embedder::Options{.decoder = decoder}, limits_, metrics_);
    hub_ = std::make_unique<ModelHub>(std::move(options), limits_, metrics_);
  }

  static RequestPtr PatientRequest() {
    const base::Clock& clock = base::Clock::Real();
    return std::make_shared<Request>(clock, clock.Steady() + std::chrono::hours(1));
  }

  std::future<absl::StatusOr<EmbedResult>> Embed(ModelPtr model, RequestPtr request = PatientRequest()) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<EmbedResult>>>();
    auto future = promise->get_future();
    EmbedJob job;
    job.request = std::move(request);
    job.model = std::move(model);
    job.image = image_;
    embedder_->Embed(std::move(job),
                     [promise](absl::StatusOr<EmbedResult> result) { promise->set_value(std::move(result)); });
    return future;
  }

  static std::string Reason(const absl::Status& status) { return base::GetErrorInfo(status).reason; }

  testing::TempFolder folder_;
  std::string image_;
  Limits limits_;
  Metrics metrics_;
  std::unique_ptr<Embedder> embedder_;
  std::unique_ptr<ModelHub> hub_;
};

// Hands out models of which the n-th embeds into "space-n" and marks its descriptors with n.
class NumberedModels : public HubFixture {
 protected:
  NumberedModels() {
    for (const char* name : {"a", "b", "c"}) AddFolder(name);
    Make();
  }

  void Make(WarmUp warm_up = WarmUp::kNone, absl::Duration budget = absl::ZeroDuration(),
            image::Decoder* decoder = nullptr) {
    ModelHub::Options options;
    options.warm_up = warm_up;
    options.warm_up_budget = budget;
    options.load = [this](const std::string& directory,
                          const model::LoadOptions&) -> absl::StatusOr<std::unique_ptr<model::Model>> {
      directory_ = directory;
      if (!next_failure_.ok()) return next_failure_;
      const int number = ++loads_;
      auto model = std::make_unique<testing::FakeModel>(absl::StrCat("space-", number), static_cast<float>(number));
      model->SetWarmUpSides(sides_);
      model->SetPause(pause_);
      model->Fail(failing_);
      last_ = model.get();
      return model;
    };
    MakeHub(std::move(options), /*cores=*/2, decoder);
  }

  int loads_ = 0;
  std::string directory_;
  absl::Status next_failure_;
  absl::Status failing_;
  std::vector<int> sides_;
  absl::Duration pause_;
  testing::FakeModel* last_ = nullptr;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_TESTS_SERVER_MODEL_HUB_FIXTURE_H_
