// One model on several devices: which of them a request is given to, and what becomes of it when one is lost.
#include "server/served_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/device/device.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_model.h"

namespace sightline::server {
namespace {

using sightline::testing::FakeClock;
using sightline::testing::FakeModel;
using std::chrono::milliseconds;
using ::testing::ElementsAre;

using DeviceAnswer = absl::StatusOr<model::Embedding>;

class ServedModelTest : public ::testing::Test {
 protected:
  // One device for each of these times in which it embeds an image; nothing is known of one that takes none.
  void Make(const std::vector<milliseconds>& paces, Batcher::Options options = {.max_batch = 1}) {
    std::vector<std::unique_ptr<Batcher>> batchers;
    for (size_t i = 0; i < paces.size(); ++i) {
      auto model = std::make_unique<FakeModel>("space", static_cast<float>(i));
      model->SetWarmUpSides({1});
      models_.push_back(model.get());
      options.device = absl::StrCat("cuda:", i);
      options.on_lost = [this, i](const absl::Status& why) { lost_.push_back(absl::StrCat(i, " ", why.message())); };
      batchers.push_back(std::make_unique<Batcher>(std::move(model), options));
    }
    for (size_t i = 0; i < paces.size(); ++i) {
      if (paces[i] == milliseconds(0)) continue;
      models_[i]->Hold();
      std::promise<void> done;
      batchers[i]->Submit(MakeRequest(), FakeModel::MakeImage(0), Priority::kInteractive,
                          [&done](const DeviceAnswer&) { done.set_value(); });
      models_[i]->WaitForBatches(1);
      clock_.Advance(absl::FromChrono(paces[i]));
      models_[i]->Release();
      done.get_future().wait();
    }
    served_ = std::make_unique<ServedModel>("a", std::move(batchers), std::vector<ServedModel::DeviceState>());
  }

  RequestPtr MakeRequest(milliseconds time = std::chrono::hours(1)) {
    return std::make_shared<Request>(clock_, clock_.Steady() + time);
  }

  // The device that a place is had on, or why there is none.
  std::string Take(milliseconds time = std::chrono::hours(1)) {
    auto place = served_->Reserve(*MakeRequest(time), Priority::kInteractive, 1);
    if (!place.ok()) return base::GetErrorInfo(place.status()).reason;
    places_.push_back(*std::move(place));
    return places_.back().batcher().device();
  }

  std::future<DeviceAnswer> Embed(float value = 0) {
    auto promise = std::make_shared<std::promise<DeviceAnswer>>();
    const RequestPtr request = MakeRequest();
    auto place = served_->Reserve(*request, Priority::kInteractive, 1);
    if (!place.ok()) {
      promise->set_value(place.status());
    } else {
      place->batcher().Submit(*place, request, FakeModel::MakeImage(value),
                              [promise](DeviceAnswer answer) { promise->set_value(std::move(answer)); });
    }
    return promise->get_future();
  }

  static absl::Status CardFailed() {
    return base::Error(absl::StatusCode::kInternal, model::kDeviceFailed, "the device failed: bus. Try again.");
  }
  static std::string Reason(const absl::Status& status) { return base::GetErrorInfo(status).reason; }

  FakeClock clock_;
  std::vector<FakeModel*> models_;
  std::vector<std::string> lost_;  // of the batchers' threads: read once their answers are there
  std::unique_ptr<ServedModel> served_;
  std::vector<Batcher::Place> places_;  // given back first
};

TEST_F(ServedModelTest, TheLeastWaitIsChosen) {
  Make({milliseconds(40), milliseconds(10)});
  std::vector<std::string> taken;
  for (int i = 0; i < 6; ++i) taken.push_back(Take());
  // Four images in 40 ms on the second: the fourth is done there no sooner than the first one on the first.
  EXPECT_THAT(taken, ElementsAre("cuda:1", "cuda:1", "cuda:1", "cuda:0", "cuda:1", "cuda:1"));
  places_.clear();
  EXPECT_EQ(Take(), "cuda:1") << "what was given back counts no more";
}

TEST_F(ServedModelTest, DevicesThatAreAlikeTakeTurns) {
  Make({milliseconds(0), milliseconds(0), milliseconds(0)});
  std::vector<std::string> taken;
  for (int i = 0; i < 4; ++i) taken.push_back(Take());
  EXPECT_THAT(taken, ElementsAre("cuda:0", "cuda:1", "cuda:2", "cuda:0"));
}

TEST_F(ServedModelTest, WhereAllRefuseTheShortestDelayIsSaid) {
  Make({milliseconds(4000), milliseconds(1000)}, {.max_batch = 1, .max_queue = 1});
  EXPECT_EQ(Take(), "cuda:1");
  EXPECT_EQ(Take(), "cuda:0") << "which has a place where the better one has none";
  const absl::Status refused = served_->Reserve(*MakeRequest(), Priority::kInteractive, 1).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(base::GetErrorInfo(refused).retry_after, absl::Seconds(1));
}

TEST_F(ServedModelTest, OneThatCouldTakeItLaterSaysMoreThanOneThatNeverCould) {
  Make({milliseconds(4000), milliseconds(1000)}, {.max_batch = 1, .max_queue = 8});
  EXPECT_EQ(Take(), "cuda:1");
  EXPECT_EQ(Take(milliseconds(1800)), "MODEL_QUEUE_FULL") << "alone the second would do it in time";
  places_.clear();
  EXPECT_EQ(Take(milliseconds(1800)), "cuda:1");
  EXPECT_EQ(Take(milliseconds(10)), "DEADLINE_TOO_SHORT") << "on every device";
}

TEST_F(ServedModelTest, QueuesAreAddedUp) {
  Make({milliseconds(0), milliseconds(0)});
  std::vector<std::future<DeviceAnswer>> answers;
  for (FakeModel* model : models_) model->Hold();
  for (int i = 0; i < 2; ++i) {
    answers.push_back(Embed());
    models_[static_cast<size_t>(i)]->WaitForBatches(1);
  }
  for (int i = 0; i < 3; ++i) answers.push_back(Embed());
  EXPECT_EQ(served_->queue_depth(), 3u);
  for (FakeModel* model : models_) model->Release();
  for (auto& answer : answers) EXPECT_TRUE(answer.get().ok());
  EXPECT_EQ(served_->queue_depth(), 0u);
}

TEST_F(ServedModelTest, ALostDeviceIsLeftOut) {
  Make({milliseconds(10), milliseconds(1000)});
  models_[0]->Hold();
  auto failing = Embed();
  models_[0]->WaitForBatches(2);
  auto waiting = Embed();
  ASSERT_EQ(Take(), "cuda:0");
  models_[0]->Fail(CardFailed());
  models_[0]->Release();
  for (auto* answer : {&failing, &waiting}) {
    const absl::Status status = answer->get().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_EQ(Reason(status), "DEVICE_LOST");
    EXPECT_TRUE(base::GetErrorInfo(status).retry_after.has_value()) << "callers try again by themselves";
  }
  EXPECT_THAT(lost_, ElementsAre("0 the device failed: bus. Try again."));
  EXPECT_FALSE(served_->lost());
  EXPECT_EQ(&served_->model(), models_[1]);
  EXPECT_EQ(served_->devices()[0].status, CardFailed());
  EXPECT_TRUE(served_->devices()[1].status.ok());
  EXPECT_EQ(Embed().get()->descriptor[2], 1) << "of the second device";

  // An image that was decoded meanwhile.
  std::promise<DeviceAnswer> late;
  places_.back().batcher().Submit(places_.back(), MakeRequest(), FakeModel::MakeImage(1),
                                  [&late](DeviceAnswer answer) { late.set_value(std::move(answer)); });
  EXPECT_EQ(Reason(late.get_future().get().status()), "DEVICE_LOST");

  models_[1]->Fail(CardFailed());
  EXPECT_EQ(Reason(Embed().get().status()), "DEVICE_LOST");
  EXPECT_TRUE(served_->lost());
  EXPECT_EQ(Take(), "DEVICE_LOST");
  EXPECT_EQ(lost_.size(), 2u);
}

TEST_F(ServedModelTest, OneBatchThatFailsLosesNoDevice) {
  Make({milliseconds(10)});
  models_[0]->FailOnce(CardFailed());
  EXPECT_EQ(Reason(Embed().get().status()), "DEVICE_FAILED");
  EXPECT_EQ(models_[0]->WaitForBatches(3).back().front(), 0) << "it was asked once more";
  EXPECT_TRUE(served_->devices()[0].status.ok());
  EXPECT_EQ(Embed(7).get()->descriptor[0], 7);
  // What is no fault of the device is not asked again.
  models_[0]->FailOnce(base::Error(absl::StatusCode::kResourceExhausted, "DEVICE_MEMORY_FULL", "it is full. Wait."));
  EXPECT_EQ(Reason(Embed().get().status()), "DEVICE_MEMORY_FULL");
  EXPECT_EQ(Embed(8).get()->descriptor[0], 8);
  EXPECT_EQ(models_[0]->WaitForBatches(6).size(), 6u);
  EXPECT_TRUE(lost_.empty());
}

}  // namespace
}  // namespace sightline::server
