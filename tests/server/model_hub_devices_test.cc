// Models on several devices: what a device refuses or loses, and what stands in, with models that have no network.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/device/device.h"
#include "server/model_hub.h"
#include "tests/server/model_hub_fixture.h"

namespace sightline::server {
namespace {

using sightline::testing::FakeModel;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class HubDevicesTest : public HubFixture {
 protected:
  HubDevicesTest() { AddFolder("a"); }

  void Make(std::vector<model::Device> devices, bool or_cpu, std::vector<std::string> int8_models = {}) {
    ModelHub::Options options;
    options.warm_up = WarmUp::kOne;
    options.placement = {.devices = std::move(devices), .or_cpu = or_cpu, .int8_models = std::move(int8_models)};
    // The n-th model of all marks its descriptors with n.
    options.load = [this](const std::string&,
                          const model::LoadOptions& load) -> absl::StatusOr<std::unique_ptr<model::Model>> {
      base::MutexLock lock(mutex_);
      const std::string device = load.device.Name();
      loads_.push_back(absl::StrCat(device, load.numeric == model::Numeric::kBf16 ? " bf16" : ""));
      const auto refused = refused_.find(device);
      if (refused != refused_.end()) return refused->second;
      auto model = std::make_unique<FakeModel>(spaces_.contains(device) ? spaces_[device] : "space",
                                               static_cast<float>(loads_.size()));
      model->SetWarmUpSides({1});
      const auto failing = failing_.find(device);
      if (failing != failing_.end()) model->Fail(failing->second);
      models_[device] = model.get();
      return model;
    };
    MakeHub(std::move(options), /*cores=*/8);
  }

  // The number of the model that has answered, or why none has.
  static std::string Answer(const absl::StatusOr<EmbedResult>& result) {
    return result.ok() ? absl::StrCat(result->embeddings.front().descriptor[2]) : Reason(result.status());
  }

  FakeModel* ModelOn(const std::string& device) {
    base::MutexLock lock(mutex_);
    return models_[device];
  }
  std::vector<std::string> loads() {
    base::MutexLock lock(mutex_);
    return loads_;
  }

  // "cuda:0", "cuda:1 DEVICE_MISSING" of the model that is found now.
  std::vector<std::string> Devices() {
    std::vector<std::string> names;
    for (const ServedModel::DeviceState& one : (*hub_->Find("a"))->devices()) {
      names.push_back(one.status.ok() ? one.device : absl::StrCat(one.device, " ", Reason(one.status)));
    }
    return names;
  }

  // Loses one of the devices that the model computes on.
  void Lose(const std::string& device) {
    const ModelPtr served = *hub_->Find("a");
    const auto is_there = [&] {
      const auto states = served->devices();
      return std::any_of(states.begin(), states.end(),
                         [&](const auto& one) { return one.device == device && one.status.ok(); });
    };
    ModelOn(device)->Fail(CardFailed());
    // The others hold what they get, so that something comes to this one before long.
    std::vector<FakeModel*> others;
    for (const ServedModel::DeviceState& one : served->devices()) {
      if (one.device != device) others.push_back(ModelOn(one.device));
    }
    for (FakeModel* model : others) model->Hold();
    std::vector<std::future<absl::StatusOr<EmbedResult>>> answers;
    while (is_there()) {
      answers.push_back(Embed(served));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    for (FakeModel* model : others) model->Release();
    for (auto& answer : answers) answer.wait();
  }

  // Until the CPU has been asked and has taken the model, or not.
  void WaitForStandIn() {
    const auto settled = [this] {
      const ModelHub::Known known = *hub_->FindKnown("a");
      return !known.loading && (!known.model->lost() || !known.refused.ok());
    };
    while (!settled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  static absl::Status CardFailed() {
    return base::Error(absl::StatusCode::kInternal, model::kDeviceFailed, "the device failed: bus. Try again.");
  }
  static absl::Status Full() {
    return base::Error(absl::StatusCode::kInternal, "MODEL_FAILED", "the card is full. Load fewer models.");
  }

  const std::vector<model::Device> two_cards_ = {{.cuda = true}, {.cuda = true, .index = 1}};
  base::Mutex mutex_;
  // By device, before the model is loaded there.
  std::map<std::string, absl::Status> refused_, failing_;
  std::map<std::string, std::string> spaces_;
  std::vector<std::string> loads_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, FakeModel*> models_ ABSL_GUARDED_BY(mutex_);  // the last of each device
};

TEST_F(HubDevicesTest, AModelIsLoadedAndWarmedUpOnEveryDevice) {
  Make(two_cards_, /*or_cpu=*/true);
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_device_failures_total{device="cuda:1"} 0)"));
  ASSERT_TRUE(hub_->Load("a").ok());
  EXPECT_THAT(loads(), ElementsAre("cuda:0 bf16", "cuda:1 bf16"));
  EXPECT_THAT(Devices(), ElementsAre("cuda:0", "cuda:1"));
  EXPECT_THAT(hub_->devices(), ElementsAre("cuda:0", "cuda:1"));
  for (const char* device : {"cuda:0", "cuda:1"}) {
    EXPECT_EQ(ModelOn(device)->WaitForBatches(1).size(), 1u) << device << " has run its warm-up";
    EXPECT_THAT(metrics_.Text(),
                HasSubstr(absl::StrCat("sightline_batch_size_count{device=\"", device, "\",model=\"a\"} 1")));
  }
  EXPECT_EQ((*hub_->Find("a"))->start().warm_sizes, 1);
}

TEST_F(HubDevicesTest, Int8IsTheCpus) {
  Make(two_cards_, /*or_cpu=*/false, {"a"});
  ASSERT_TRUE(hub_->Load("a").ok());
  EXPECT_THAT(Devices(), ElementsAre("cpu"));
  EXPECT_THAT(hub_->devices(), ElementsAre("cuda:0", "cuda:1", "cpu"));
}

TEST_F(HubDevicesTest, ADeviceThatRefusesIsLeftOut) {
  Make(two_cards_, /*or_cpu=*/true);
  refused_["cuda:0"] = Full();
  ASSERT_TRUE(hub_->Load("a").ok());
  EXPECT_THAT(Devices(), ElementsAre("cuda:1", "cuda:0 MODEL_FAILED"));
  EXPECT_EQ(Answer(Embed(*hub_->Find("a")).get()), "2");
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_device_failures_total{device="cuda:0"} 1)"));
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_model_loads_total{result="ok"} 1)"));
  refused_.clear();
  ASSERT_TRUE(hub_->Load("a").ok()) << "which asks both again";
  EXPECT_THAT(Devices(), ElementsAre("cuda:0", "cuda:1"));
}

TEST_F(HubDevicesTest, ADeviceThatDoesNotGetThroughItsWarmUpIsLeftOut) {
  for (const auto& [failure, reason] : {std::pair(Full(), "MODEL_FAILED"), std::pair(CardFailed(), "DEVICE_LOST")}) {
    Make(two_cards_, /*or_cpu=*/true);
    failing_["cuda:1"] = failure;
    ASSERT_TRUE(hub_->Load("a").ok());
    EXPECT_THAT(Devices(), ElementsAre("cuda:0", absl::StrCat("cuda:1 ", reason)));
    EXPECT_EQ((*hub_->Find("a"))->devices()[1].status.message(), failure.message());
    hub_.reset();
  }
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_device_failures_total{device="cuda:1"} 2)"));
}

TEST_F(HubDevicesTest, WhereAllRefuseTheCpuStandsInIfItMay) {
  refused_ = {{"cuda:0", Full()}, {"cuda:1", CardFailed()}};
  Make(two_cards_, /*or_cpu=*/false);
  EXPECT_EQ(Reason(hub_->Load("a").status()), "MODEL_FAILED") << "of the first";
  EXPECT_EQ(Reason(hub_->FindKnown("a")->refused), "MODEL_FAILED");
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_device_failures_total{device="cuda:0"} 0)"))
      << "it was the model that was refused";
  Make(two_cards_, /*or_cpu=*/true);
  ASSERT_TRUE(hub_->Load("a").ok());
  EXPECT_EQ(loads().back(), "cpu");
  EXPECT_THAT(Devices(), ElementsAre("cpu", "cuda:0 MODEL_FAILED", "cuda:1 DEVICE_FAILED"));
  EXPECT_TRUE(Embed(*hub_->Find("a")).get().ok());
  refused_["cpu"] = Full();
  EXPECT_FALSE(hub_->Load("a").ok());
  EXPECT_TRUE(Embed(*hub_->Find("a")).get().ok()) << "the one before is still there";
}

TEST_F(HubDevicesTest, AFolderThatChangesBetweenDevicesIsRefused) {
  Make(two_cards_, /*or_cpu=*/true);
  spaces_["cuda:1"] = "another-space";
  EXPECT_EQ(Reason(hub_->Load("a").status()), "MODEL_FOLDER_CHANGED");
  EXPECT_EQ(hub_->List().size(), 0u);
}

TEST_F(HubDevicesTest, WhatIsLeftOfTheDevicesServesOn) {
  Make(two_cards_, /*or_cpu=*/true);
  ASSERT_TRUE(hub_->Load("a").ok());
  Lose("cuda:0");
  EXPECT_THAT(Devices(), ElementsAre("cuda:0 DEVICE_FAILED", "cuda:1"));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Answer(Embed(*hub_->Find("a")).get()), "2");
  EXPECT_EQ(loads().size(), 2u) << "nothing had to stand in";
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_device_failures_total{device="cuda:0"} 1)"));
}

TEST_F(HubDevicesTest, TheCpuStandsInForTheLastDevice) {
  Make(two_cards_, /*or_cpu=*/true);
  ASSERT_TRUE(hub_->Load("a").ok());
  Lose("cuda:0");
  Lose("cuda:1");
  WaitForStandIn();
  EXPECT_THAT(loads(), ElementsAre("cuda:0 bf16", "cuda:1 bf16", "cpu")) << "no card is asked again by itself";
  EXPECT_THAT(Devices(), ElementsAre("cpu", "cuda:0 DEVICE_FAILED", "cuda:1 DEVICE_FAILED"));
  EXPECT_EQ(Answer(Embed(*hub_->Find("a")).get()), "3");
  EXPECT_THAT(hub_->devices(), ElementsAre("cuda:0", "cuda:1", "cpu"));
  // Somebody who has seen to the cards.
  ASSERT_TRUE(hub_->Load("a").ok());
  EXPECT_THAT(Devices(), ElementsAre("cuda:0", "cuda:1"));
}

TEST_F(HubDevicesTest, WhereCardsAreAskedForNothingStandsIn) {
  Make({{.cuda = true}}, /*or_cpu=*/false);
  ASSERT_TRUE(hub_->Load("a").ok());
  Lose("cuda:0");
  const absl::Status lost = Embed(*hub_->Find("a")).get().status();
  EXPECT_EQ(lost.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Reason(lost), "DEVICE_LOST");
  ASSERT_TRUE(hub_->Load("a").ok());
  EXPECT_EQ(Answer(Embed(*hub_->Find("a")).get()), "2");
  EXPECT_THAT(loads(), ElementsAre("cuda:0 bf16", "cuda:0 bf16"));
}

TEST_F(HubDevicesTest, WhatStandsInIsTheSameModelOrNone) {
  Make({{.cuda = true}}, /*or_cpu=*/true);
  ASSERT_TRUE(hub_->Load("a").ok());
  spaces_["cpu"] = "another-space";
  Lose("cuda:0");
  WaitForStandIn();
  EXPECT_EQ(Reason(hub_->FindKnown("a")->refused), "MODEL_FOLDER_CHANGED");
  EXPECT_EQ((*hub_->Find("a"))->info().embedding_space, "space");
  EXPECT_EQ(Answer(Embed(*hub_->Find("a")).get()), "DEVICE_LOST");
}

TEST_F(HubDevicesTest, AModelIsReplacedWhileAllItsDevicesAreBusy) {
  Make(two_cards_, /*or_cpu=*/true);
  const ModelPtr before = *hub_->Load("a");
  FakeModel* const held[] = {ModelOn("cuda:0"), ModelOn("cuda:1")};
  for (FakeModel* model : held) model->Hold();
  std::vector<std::future<absl::StatusOr<EmbedResult>>> busy;
  // Whichever is chosen first: the other one waits less for the next.
  while (held[0]->batches() < 2 || held[1]->batches() < 2) {
    busy.push_back(Embed(before));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_TRUE(hub_->Load("a").ok()) << "loading does not wait for requests";
  const std::string now = Answer(Embed(*hub_->Find("a")).get());
  EXPECT_TRUE(now == "3" || now == "4") << now;
  ASSERT_TRUE(hub_->Unload("a").ok());
  for (FakeModel* model : held) model->Release();
  for (auto& answer : busy) {
    const std::string by = Answer(answer.get());
    EXPECT_TRUE(by == "1" || by == "2") << by;
  }
}

TEST_F(HubDevicesTest, DevicesAreLostUnderLoad) {
  Make(two_cards_, /*or_cpu=*/true);
  ASSERT_TRUE(hub_->Load("a").ok());
  std::atomic<bool> stop = false;
  std::atomic<int> answered = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        const auto result = Embed(*hub_->Find("a")).get();
        if (result.ok()) {
          ++answered;
        } else {
          EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable) << result.status();
          std::this_thread::yield();
        }
      }
    });
  }
  for (int round = 0; round < 5; ++round) {
    for (const char* device : {"cuda:1", "cuda:0"}) {
      ModelOn(device)->Fail(CardFailed());
      const int before = answered;
      while (answered < before + 20) std::this_thread::yield();
    }
    EXPECT_TRUE(hub_->Load("a").ok());
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace sightline::server
