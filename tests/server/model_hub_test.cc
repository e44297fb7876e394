// Models that come and go while requests run, with models that have no network.
#include "server/model_hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "tests/server/model_hub_fixture.h"

namespace sightline::server {
namespace {

using sightline::testing::FakeModel;
using ::testing::HasSubstr;
using ::testing::Not;

using ModelHubTest = NumberedModels;

TEST_F(ModelHubTest, LoadsFindsAndUnloads) {
  EXPECT_EQ(Reason(hub_->Find("").status()), "NO_MODEL_LOADED");
  EXPECT_EQ(hub_->default_model(), "");
  ASSERT_TRUE(hub_->Load("b").ok());
  EXPECT_EQ(directory_, folder_.path() + "/b");
  EXPECT_EQ(hub_->default_model(), "b") << "the first one loaded";
  ASSERT_TRUE(hub_->Load("a").ok());
  EXPECT_EQ((*hub_->Find(""))->info().embedding_space, "space-1");
  EXPECT_EQ((*hub_->Find("a"))->info().name, "a") << "the name is the folder's";
  EXPECT_EQ((*hub_->Find("a"))->info().embedding_space, "space-2");
  const absl::Status missing = hub_->Find("c").status();
  EXPECT_EQ(Reason(missing), "MODEL_NOT_LOADED");
  EXPECT_THAT(std::string(missing.message()), HasSubstr("a, b"));
  EXPECT_EQ((*Embed(*hub_->Find("a")).get()).embeddings.front().descriptor[2], 2);

  ASSERT_TRUE(hub_->Unload("b").ok());
  EXPECT_TRUE(absl::IsNotFound(hub_->Unload("b")));
  EXPECT_EQ(hub_->default_model(), "");
  EXPECT_EQ(Reason(hub_->Find("").status()), "MODEL_NOT_LOADED");
  EXPECT_EQ(hub_->List().size(), 1u);
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_model_loaded{model="b",untrained="false"} 0)"));
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_model_loads_total{result="ok"} 2)"));
}

TEST_F(ModelHubTest, KnowsWhatCouldBeLoaded) {
  std::filesystem::create_directories(folder_.path() + "/no-model");
  AddFolder(".hidden");
  ASSERT_TRUE(hub_->Load("a").ok());
  next_failure_ = base::FailedPrecondition("WEIGHTS_MISSING", "it has no weights. Add them.");
  EXPECT_FALSE(hub_->Load("b").ok());
  const std::vector<ModelHub::Known> known = hub_->ListKnown();
  ASSERT_EQ(known.size(), 3u);
  EXPECT_EQ(known[0].name, "a");
  EXPECT_NE(known[0].model, nullptr);
  EXPECT_EQ(known[1].model, nullptr);
  EXPECT_EQ(Reason(known[1].refused), "WEIGHTS_MISSING");
  EXPECT_TRUE(known[2].refused.ok());
  EXPECT_EQ(hub_->FindKnown("c")->name, "c");
  EXPECT_EQ(Reason(hub_->FindKnown("nobody").status()), "MODEL_NOT_FOUND");
}

TEST_F(ModelHubTest, RefusesNamesThatAreNoFolders) {
  for (const std::string& name : {std::string(), std::string("."), std::string(".."), std::string("../a"),
                                  std::string("/etc"), std::string("a/b"), std::string("a\0b", 3), std::string("a b"),
                                  std::string("\xff"), std::string("a\n"), std::string(1 << 20, 'x')}) {
    EXPECT_EQ(Reason(hub_->Load(name).status()), "MODEL_NAME_INVALID") << name.substr(0, 20);
    EXPECT_EQ(Reason(hub_->Unload(name)), "MODEL_NAME_INVALID");
    EXPECT_EQ(Reason(hub_->FindKnown(name).status()), "MODEL_NAME_INVALID");
    EXPECT_LT(hub_->Find(name).status().message().size(), 2000u);
  }
  EXPECT_EQ(loads_, 0);
  next_failure_ = base::NotFound("FILE_NOT_FOUND", "there is none. Look again.");
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(hub_->Load(absl::StrCat("made-up-", i)).ok());
  EXPECT_EQ(hub_->ListKnown().size(), 3u) << "made-up names are not kept";
}

TEST_F(ModelHubTest, RefusesMoreThanItMayHold) {
  limits_.max_models = 2;
  ASSERT_TRUE(hub_->Load("a").ok());
  ASSERT_TRUE(hub_->Load("b").ok());
  EXPECT_EQ(Reason(hub_->Load("c").status()), "TOO_MANY_MODELS");
  EXPECT_TRUE(hub_->Load("b").ok()) << "one that is loaded is no more";
  ASSERT_TRUE(hub_->Unload("a").ok());
  EXPECT_TRUE(hub_->Load("c").ok());
}

TEST_F(ModelHubTest, ARefusedReloadLeavesTheOneBefore) {
  ASSERT_TRUE(hub_->Load("a").ok());
  next_failure_ = base::InvalidArgument("MALFORMED_WEIGHTS", "the weights are damaged. Copy them again.");
  EXPECT_EQ(Reason(hub_->Load("a").status()), "MALFORMED_WEIGHTS");
  EXPECT_EQ((*hub_->Find("a"))->info().embedding_space, "space-1");
  EXPECT_EQ(Reason(hub_->FindKnown("a")->refused), "MALFORMED_WEIGHTS");
  EXPECT_TRUE(Embed(*hub_->Find("a")).get().ok());
  next_failure_ = absl::OkStatus();
  // One that loads and does not run is refused too.
  sides_ = {4};
  failing_ = base::Error(absl::StatusCode::kInternal, "MODEL_FAILED", "it fails. Report it.");
  Make(WarmUp::kAll);
  EXPECT_EQ(Reason(hub_->Load("a").status()), "MODEL_FAILED");
  failing_ = absl::OkStatus();
  ASSERT_TRUE(hub_->Load("a").ok());
  EXPECT_TRUE(hub_->FindKnown("a")->refused.ok());
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_model_loads_total{result="refused"} 2)"));
}

TEST_F(ModelHubTest, RequestsEndWithTheModelTheyBeganWith) {
  ASSERT_TRUE(hub_->Load("a").ok());
  FakeModel* const first = last_;
  first->Hold();
  auto held = Embed(*hub_->Find("a"));
  first->WaitForBatches(1);
  auto waiting = Embed(*hub_->Find("a"));
  ASSERT_TRUE(hub_->Load("a").ok()) << "loading does not wait for requests";
  EXPECT_EQ((*Embed(*hub_->Find("a")).get()).embeddings.front().descriptor[2], 2);
  EXPECT_EQ(FakeModel::alive(), 2);
  ASSERT_TRUE(hub_->Unload("a").ok());
  first->Release();
  EXPECT_EQ((*held.get()).embeddings.front().descriptor[2], 1);
  EXPECT_EQ((*waiting.get()).embeddings.front().descriptor[2], 1) << "what waited is done too";
  while (FakeModel::alive() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

TEST_F(ModelHubTest, TheEndAnswersWhatWaits) {
  ASSERT_TRUE(hub_->Load("a").ok());
  FakeModel* const model = last_;
  model->Hold();
  auto held = Embed(*hub_->Find("a"));
  model->WaitForBatches(1);
  auto waiting = Embed(*hub_->Find("a"));
  while (hub_->model_queue_depth() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::thread end([this] { hub_.reset(); });
  // Not under way yet, so it is refused while the other still runs; then the batch ends well.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  model->Release();
  end.join();
  EXPECT_TRUE(held.get().ok());
  EXPECT_EQ(Reason(waiting.get().status()), "MODEL_UNLOADING");
}

TEST_F(ModelHubTest, LoadsNothingMoreOnceTheServerEnds) {
  ASSERT_TRUE(hub_->Load("a").ok());
  hub_->Drain();
  const absl::Status late = hub_->Load("b").status();
  EXPECT_EQ(late.code(), absl::StatusCode::kUnavailable) << late;
  EXPECT_EQ(Reason(late), "DRAINING");
  EXPECT_EQ(loads_, 1) << "its files were not even read";
  EXPECT_TRUE(hub_->Find("a").ok()) << "requests in hand have their model";
}

TEST_F(ModelHubTest, WarmsUpBeforeItServes) {
  sides_ = {4, 16, 32};
  Make(WarmUp::kAll);
  ModelPtr model = *hub_->Load("a");
  EXPECT_EQ(model->start().warm_sizes, 3);
  EXPECT_EQ(model->start().sizes, 3);
  EXPECT_EQ(last_->WaitForBatches(4).size(), 4u) << "the smallest runs twice";
  model.reset();
  Make(WarmUp::kOne);
  EXPECT_EQ((*hub_->Load("a"))->start().warm_sizes, 1);
  Make(WarmUp::kNone);
  EXPECT_EQ((*hub_->Load("a"))->start().warm_sizes, 0);
  // The third would take some 20 ms x 40,000.
  sides_ = {4, 5, 1000};
  pause_ = absl::Milliseconds(20);
  Make(WarmUp::kAll, absl::Seconds(10));
  model = *hub_->Load("a");
  EXPECT_EQ(model->start().warm_sizes, 2);
  EXPECT_EQ(model->start().sizes, 3);
  EXPECT_GE(model->start().warm_up_milliseconds, 60);
}

TEST_F(ModelHubTest, ModelsComeAndGoUnderLoad) {
  ASSERT_TRUE(hub_->Load("a").ok());
  std::atomic<bool> stop = false;
  std::atomic<int> answered = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      while (!stop) {
        const absl::StatusOr<ModelPtr> model = hub_->Find(t % 2 == 0 ? "a" : "b");
        if (!model.ok()) {
          EXPECT_EQ(Reason(model.status()), "MODEL_NOT_LOADED");
          std::this_thread::yield();
          continue;
        }
        const std::string space = (*model)->info().embedding_space;
        const auto result = Embed(*model).get();
        ASSERT_TRUE(result.ok()) << result.status();
        EXPECT_EQ(absl::StrCat("space-", result->embeddings.front().descriptor[2]), space);
        ++answered;
      }
    });
  }
  for (int i = 0; i < 30; ++i) {
    EXPECT_TRUE(hub_->Load("a").ok());
    EXPECT_TRUE(hub_->Load("b").ok());
    hub_->ListKnown();
    EXPECT_TRUE(hub_->Unload("b").ok());
  }
  while (answered < 50) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(hub_->Unload("a").ok());
  while (FakeModel::alive() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

TEST_F(ModelHubTest, CountsTheModelsTime) {
  pause_ = absl::Milliseconds(20);
  Make();
  const ModelPtr model = *hub_->Load("a");
  last_->Hold();
  const RequestPtr request = PatientRequest();
  auto answer = Embed(model, request);
  last_->WaitForBatches(1);
  request->Cancel();
  last_->Release();
  answer.wait();
  EXPECT_THAT(metrics_.Text(), HasSubstr("sightline_wasted_model_seconds_total 0.0"));
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("sightline_wasted_model_seconds_total 0\n")));
}

}  // namespace
}  // namespace sightline::server
