// ModelsFixture: a server whose model root holds two small untrained models, "a" and "b", of the same architecture and
// different seeds, and so of two embedding spaces.
#ifndef SIGHTLINE_TESTS_E2E_MODELS_FIXTURE_H_
#define SIGHTLINE_TESTS_E2E_MODELS_FIXTURE_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/file.h"
#include "base/status.h"
#include "client/cpp/client.h"
#include "tests/e2e/picture.h"
#include "tests/e2e/rpc.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"

namespace sightline::testing {

class ModelsFixture : public ::testing::Test {
 protected:
  ModelsFixture() : models_(folder_.path() + "/models") {
    AddModel("a", 1);
    AddModel("b", 2);
  }
  ~ModelsFixture() override {
    client_.reset();
    if (server_ != nullptr && server_->Running()) {
      EXPECT_EQ(server_->Terminate(), 0) << server_->Log();
    }
  }

  void AddModel(const std::string& name, int seed) {
    std::filesystem::create_directories(absl::StrCat(models_, "/", name));
    const std::string text = *base::ReadFile(SIGHTLINE_MODEL_ROOT "/dtop_seeded/model.json", 1 << 20);
    ASSERT_TRUE(
        base::WriteFileDurably(absl::StrCat(models_, "/", name, "/model.json"),
                               absl::StrReplaceAll(text, {{"\"seed\": 1,\n  \"backbone\"",
                                                           absl::StrCat("\"seed\": ", seed, ",\n  \"backbone\"")}}))
            .ok());
  }

  void Start(const std::string& models = "a,b", std::vector<std::string> flags = {},
             std::vector<std::string> environment = {}) {
    client_.reset();
    flags.insert(flags.end(), {"--models=" + models, "--allow_untrained", "--model_root=" + models_, "--warm_up=none",
                               "--intra_op_threads=1"});
    auto server = ServerProcess::Start({folder_.path(), std::move(flags), std::move(environment)});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    client_ = *client::Client::Connect({.address = server_->address()});
    rpc_ = std::make_unique<Rpc>(server_->address());
  }

  void Create(const std::string& name, const std::string& model,
              v1::CollectionSettings::KeepImage keep = v1::CollectionSettings::KEEP_IMAGE_ORIGINAL) {
    v1::CreateCollectionRequest create;
    create.set_name(name);
    create.set_model(model);
    create.mutable_settings()->set_keep_image(keep);
    const auto made = client_->CreateCollection(create);
    ASSERT_TRUE(made.ok()) << made.status();
  }

  static v1::IndexRequest NewWrite(const std::string& collection, const std::string& id, unsigned picture) {
    v1::IndexRequest request;
    request.set_collection(collection);
    request.mutable_item()->set_id(id);
    request.mutable_item()->set_image(NoisePicture(picture));
    return request;
  }
  void Write(const std::string& collection, const std::string& id, unsigned picture) {
    const auto written = client_->Index(NewWrite(collection, id, picture));
    ASSERT_TRUE(written.ok()) << written.status();
  }

  // The best result for a picture; empty when there is none.
  absl::StatusOr<v1::SearchResponse> Find(const std::string& collection, unsigned picture, int top_k = 1) {
    return client_->Search(
        {.collection = collection, .query = client::Query::Image(NoisePicture(picture)), .top_k = top_k});
  }
  void ExpectFound(const std::string& collection, const std::string& id, unsigned picture) {
    const auto answer = Find(collection, picture);
    ASSERT_TRUE(answer.ok()) << answer.status();
    ASSERT_EQ(answer->results_size(), 1);
    EXPECT_EQ(answer->results(0).id(), id);
    EXPECT_NEAR(answer->results(0).score(), 1, 1e-4);
  }

  static std::string Reason(const absl::Status& status) { return base::GetErrorInfo(status).reason; }

  TempFolder folder_;
  const std::string models_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<client::Client> client_;
  std::unique_ptr<Rpc> rpc_;
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_E2E_MODELS_FIXTURE_H_
