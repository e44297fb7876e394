#include "server/batcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <thread>

#include "base/status.h"
#include "tests/support/fake_model.h"

namespace sightline::server {
namespace {

using sightline::testing::FakeModel;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

using Answer = absl::StatusOr<model::Embedding>;

class BatcherTest : public ::testing::Test {
 protected:
  void Make(Batcher::Options options) {
    auto model = std::make_unique<FakeModel>();
    model_ = model.get();
    batcher_ = std::make_unique<Batcher>(std::move(model), std::move(options));
  }

  static RequestPtr MakeRequest(std::chrono::nanoseconds time = std::chrono::hours(1)) {
    return std::make_shared<Request>(base::Clock::Real(), base::Clock::Real().Steady() + time);
  }

  std::future<Answer> Submit(float value, Priority priority = Priority::kInteractive, const std::string& bucket = "a",
                             RequestPtr request = MakeRequest()) {
    auto promise = std::make_shared<std::promise<Answer>>();
    std::future<Answer> future = promise->get_future();
    batcher_->Submit(std::move(request), FakeModel::MakeImage(value, bucket), priority,
                     [promise](Answer answer) { promise->set_value(std::move(answer)); });
    return future;
  }

  // Holds the model inside a batch of one, so that what is submitted next waits.
  std::future<Answer> HoldTheModel() {
    model_->Hold();
    std::future<Answer> first = Submit(-1);
    model_->WaitForBatches(1);
    return first;
  }

  FakeModel* model_ = nullptr;
  std::unique_ptr<Batcher> batcher_;
};

TEST_F(BatcherTest, AnIdleBatcherTakesOneImageAtOnce) {
  // A delay of an hour would be noticed.
  Make({.max_batch = 8, .max_delay = absl::Hours(1), .max_queue = 8, .on_batch = {}});
  EXPECT_EQ(Submit(5).get()->descriptor.front(), 5);
}

TEST_F(BatcherTest, WhatWaitsForABusyModelRidesTogether) {
  Make({.max_batch = 3, .max_delay = absl::ZeroDuration(), .max_queue = 8, .on_batch = {}});
  auto first = HoldTheModel();
  auto a = Submit(1), b = Submit(2), c = Submit(3), d = Submit(4);
  model_->Release();
  EXPECT_EQ(a.get()->descriptor.front(), 1);
  EXPECT_EQ(d.get()->descriptor.front(), 4);
  EXPECT_THAT(model_->WaitForBatches(3), ElementsAre(ElementsAre(-1), ElementsAre(1, 2, 3), ElementsAre(4)));
}

TEST_F(BatcherTest, ABusyBatcherWaitsForAFullBatch) {
  Make({.max_batch = 2, .max_delay = absl::Hours(1), .max_queue = 8, .on_batch = {}});
  auto first = HoldTheModel();
  auto a = Submit(1);
  model_->Release();
  ASSERT_TRUE(first.get().ok());
  auto b = Submit(2);
  EXPECT_TRUE(a.get().ok());
  EXPECT_THAT(model_->WaitForBatches(2), ElementsAre(ElementsAre(-1), ElementsAre(1, 2)));
}

TEST_F(BatcherTest, BucketsDoNotMixAndInteractiveGoesFirst) {
  Make({.max_batch = 4, .max_delay = absl::ZeroDuration(), .max_queue = 8, .on_batch = {}});
  auto first = HoldTheModel();
  auto bulk = Submit(1, Priority::kBulk, "a");
  auto wide = Submit(2, Priority::kInteractive, "b");
  auto same = Submit(3, Priority::kBulk, "b");
  model_->Release();
  ASSERT_TRUE(bulk.get().ok());
  EXPECT_THAT(model_->WaitForBatches(3), ElementsAre(ElementsAre(-1), ElementsAre(2, 3), ElementsAre(1)));
}

TEST_F(BatcherTest, BulkWorkIsNotStarved) {
  Make({.max_batch = 1, .max_delay = absl::ZeroDuration(), .max_queue = 64, .on_batch = {}});
  auto first = HoldTheModel();
  auto bulk = Submit(100, Priority::kBulk);
  std::vector<std::future<Answer>> interactive;
  for (int i = 0; i < 20; ++i) interactive.push_back(Submit(static_cast<float>(i)));
  model_->Release();
  for (auto& answer : interactive) ASSERT_TRUE(answer.get().ok());
  ASSERT_TRUE(bulk.get().ok());
  const auto batches = model_->WaitForBatches(22);
  size_t place = 0;
  while (batches[place].front() != 100) ++place;
  EXPECT_LE(place, 9u);
}

TEST_F(BatcherTest, DeadWorkNeverReachesTheModel) {
  Make({.max_batch = 8, .max_delay = absl::ZeroDuration(), .max_queue = 8, .on_batch = {}});
  auto first = HoldTheModel();
  auto expired = Submit(1, Priority::kInteractive, "a", MakeRequest(std::chrono::nanoseconds(0)));
  const RequestPtr request = MakeRequest();
  auto cancelled = Submit(2, Priority::kInteractive, "a", request);
  auto alive = Submit(3);
  request->Cancel();
  model_->Release();
  EXPECT_EQ(expired.get().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(cancelled.get().status().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(alive.get().ok());
  EXPECT_THAT(model_->WaitForBatches(2), ElementsAre(ElementsAre(-1), ElementsAre(3)));
}

TEST_F(BatcherTest, AFullQueueRefusesAtOnceWithADelay) {
  Make({.max_batch = 8, .max_delay = absl::ZeroDuration(), .max_queue = 2, .on_batch = {}});
  auto first = HoldTheModel();
  auto a = Submit(1), b = Submit(2);
  const Answer refused = Submit(3).get();
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  const base::ErrorInfo info = base::GetErrorInfo(refused.status());
  EXPECT_EQ(info.reason, "MODEL_QUEUE_FULL");
  EXPECT_TRUE(info.retry_after.has_value());
  EXPECT_EQ(batcher_->queue_depth(), 2u);
  model_->Release();
  EXPECT_TRUE(a.get().ok());
  EXPECT_TRUE(b.get().ok());
}

TEST_F(BatcherTest, AFailureOfTheModelFailsTheBatchAndNotTheServer) {
  Make({.max_batch = 8, .max_delay = absl::ZeroDuration(), .max_queue = 8, .on_batch = {}});
  model_->Fail(absl::InternalError("out of memory"));
  EXPECT_EQ(Submit(1).get().status().code(), absl::StatusCode::kInternal);
  model_->Fail(absl::OkStatus());
  EXPECT_TRUE(Submit(2).get().ok());
}

TEST_F(BatcherTest, StoppingAnswersWhatWaits) {
  Make({.max_batch = 1, .max_delay = absl::ZeroDuration(), .max_queue = 8, .on_batch = {}});
  auto first = HoldTheModel();
  auto waiting = Submit(1);
  std::thread stop([this] { batcher_.reset(); });
  // The batcher cannot end before the model returns; what waits is answered either way.
  model_->Release();
  stop.join();
  EXPECT_TRUE(first.get().ok());
  const absl::Status status = waiting.get().status();
  EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kUnavailable) << status;
}

TEST_F(BatcherTest, ManyThreadsGetEachTheirOwnAnswer) {
  Make({.max_batch = 4, .max_delay = absl::Microseconds(100), .max_queue = 10'000, .on_batch = {}});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 200; ++i) {
        const float value = static_cast<float>(t * 1000 + i);
        const Answer answer = Submit(value, i % 2 ? Priority::kBulk : Priority::kInteractive, i % 3 ? "a" : "b").get();
        ASSERT_TRUE(answer.ok());
        ASSERT_EQ(answer->descriptor.front(), value);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace sightline::server
