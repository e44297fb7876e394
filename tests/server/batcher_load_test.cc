// The batcher under more work than it can do. Time is a fake clock's, and the model lets it pass: nothing depends on
// how fast the machine is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <random>
#include <thread>

#include "base/status.h"
#include "server/batcher.h"
#include "tests/support/fake_model.h"
#include "tests/support/seed.h"

namespace sightline::server {
namespace {

using sightline::testing::FakeModel;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

using Answer = absl::StatusOr<model::Embedding>;

// Stands still unless somebody moves it.
class SteppedClock final : public base::Clock {
 public:
  absl::Time Now() const override { return absl::UnixEpoch(); }
  Ticks Steady() const override { return Ticks(std::chrono::nanoseconds(now_.load())); }
  void Move(absl::Duration by) { now_ += absl::ToInt64Nanoseconds(by); }

 private:
  std::atomic<int64_t> now_ = int64_t{3600} * 1'000'000'000;
};

// Every batch, and every image of it, takes as long as it is told.
class TimedModel final : public model::Model {
 public:
  TimedModel(FakeModel* inner, SteppedClock* clock, const absl::Duration* per_batch)
      : inner_(inner), clock_(clock), per_batch_(per_batch) {}
  const model::ModelInfo& info() const override { return inner_->info(); }
  int wanted_side(int width, int height) const override { return inner_->wanted_side(width, height); }
  absl::StatusOr<model::PreparedImage> Prepare(const image::Image& image,
                                               const std::optional<image::CropBox>& crop) const override {
    return inner_->Prepare(image, crop);
  }
  absl::StatusOr<std::vector<float>> Whiten(absl::Span<const float> descriptor) const override {
    return inner_->Whiten(descriptor);
  }
  absl::StatusOr<std::vector<model::Embedding>> Embed(absl::Span<const model::PreparedImage* const> batch) override {
    auto answer = inner_->Embed(batch);
    clock_->Move(*per_batch_ + per_image * static_cast<double>(batch.size()));
    return answer;
  }
  absl::Duration per_image = absl::Milliseconds(100);

 private:
  FakeModel* const inner_;
  SteppedClock* const clock_;
  const absl::Duration* const per_batch_;
};

class BatcherLoadTest : public ::testing::Test {
 protected:
  void Make(Batcher::Options options) {
    options.on_batch = [this](int, double milliseconds, double wasted) {
      base::MutexLock lock(mutex_);
      total_ += milliseconds;
      wasted_ += wasted * milliseconds;
    };
    batcher_ =
        std::make_unique<Batcher>(std::make_unique<TimedModel>(&model_, &clock_, &per_batch_), std::move(options));
  }

  // 100 ms an image, as the first one shows.
  void LearnThePace() { ASSERT_TRUE(Submit(-2).get().ok()); }

  RequestPtr MakeRequest(absl::Duration time = absl::Hours(1)) {
    return std::make_shared<Request>(clock_, clock_.Steady() + absl::ToChronoNanoseconds(time));
  }

  std::future<Answer> Submit(float value, Priority priority = Priority::kInteractive, RequestPtr request = nullptr,
                             const std::string& bucket = "a") {
    auto promise = std::make_shared<std::promise<Answer>>();
    std::future<Answer> future = promise->get_future();
    if (request == nullptr) request = MakeRequest();
    batcher_->Submit(std::move(request), FakeModel::MakeImage(value, bucket), priority,
                     [promise](Answer answer) { promise->set_value(std::move(answer)); });
    return future;
  }

  std::future<Answer> HoldTheModel() {
    model_.Hold();
    const size_t before = batches_;
    std::future<Answer> first = Submit(-1);
    batches_ = model_.WaitForBatches(before + 1).size();
    return first;
  }

  static std::string Reason(const Answer& answer) { return base::GetErrorInfo(answer.status()).reason; }

  SteppedClock clock_;
  FakeModel model_;
  absl::Duration per_batch_ = absl::ZeroDuration();
  size_t batches_ = 1;  // with the one that taught the pace
  base::Mutex mutex_;
  double total_ ABSL_GUARDED_BY(mutex_) = 0;
  double wasted_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<Batcher> batcher_;
};

TEST_F(BatcherLoadTest, RefusesWhatWouldWaitTooLongAndSaysWhenToComeBack) {
  Make({.max_batch = 2,
        .max_delay = absl::ZeroDuration(),
        .max_queue = 256,
        .max_queue_delay = absl::Milliseconds(250)});
  LearnThePace();
  auto first = HoldTheModel();
  // The model has 100 ms to go, then there is a place for a full batch, and for one more that waits 300 ms.
  auto a = Submit(1), b = Submit(2);
  const Answer refused = Submit(3).get();
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Reason(refused), "MODEL_QUEUE_FULL");
  EXPECT_EQ(base::GetErrorInfo(refused.status()).retry_after, absl::Milliseconds(300));
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("wait about 300ms for the model; the limit is 250ms."));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("--max_queue_delay"));
  model_.Release();
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(a.get().ok());
  EXPECT_TRUE(b.get().ok());
  EXPECT_TRUE(Submit(4).get().ok()) << "and then it answers again";
}

TEST_F(BatcherLoadTest, AsManyAsAFullBatchMayAlwaysWait) {
  Make({.max_batch = 4, .max_delay = absl::ZeroDuration(), .max_queue = 256, .max_queue_delay = absl::ZeroDuration()});
  LearnThePace();
  auto first = HoldTheModel();
  std::vector<std::future<Answer>> waiting;
  for (int i = 0; i < 4; ++i) waiting.push_back(Submit(static_cast<float>(i)));
  EXPECT_EQ(Reason(Submit(9).get()), "MODEL_QUEUE_FULL");
  model_.Release();
  for (auto& one : waiting) EXPECT_TRUE(one.get().ok());
  EXPECT_THAT(model_.WaitForBatches(3), Each(SizeIs(1))) << "a batch would take longer than anybody may wait";
}

TEST_F(BatcherLoadTest, BatchesOfAModelThatTheyCostNothingAreFull) {
  per_batch_ = absl::Milliseconds(1000);
  Make({.max_batch = 4, .max_delay = absl::ZeroDuration(), .max_queue = 256});
  LearnThePace();
  for (int round = 0; round < 3; ++round) {
    auto first = HoldTheModel();
    std::vector<std::future<Answer>> waiting;
    for (int i = 0; i < 4; ++i) waiting.push_back(Submit(static_cast<float>(i)));
    model_.Release();
    for (auto& one : waiting) EXPECT_TRUE(one.get().ok());
    EXPECT_THAT(model_.WaitForBatches(batches_ + 1).back(), SizeIs(4)) << round;
    ++batches_;
  }
}

TEST_F(BatcherLoadTest, BatchesThatSaveNothingAreTriedOnceAMinute) {
  Make({.max_batch = 4, .max_delay = absl::ZeroDuration(), .max_queue = 256});
  LearnThePace();
  std::vector<size_t> sizes;
  for (int round = 0; round < 3; ++round) {
    auto first = HoldTheModel();
    std::vector<std::future<Answer>> waiting;
    for (int i = 0; i < 4; ++i) waiting.push_back(Submit(static_cast<float>(i)));
    model_.Release();
    for (auto& one : waiting) EXPECT_TRUE(one.get().ok());
    sizes.push_back(model_.WaitForBatches(batches_ + 1)[batches_].size());
    batches_ = model_.WaitForBatches(batches_ + 1).size();
    if (round == 1) clock_.Move(absl::Minutes(2));
  }
  EXPECT_THAT(sizes, ElementsAre(4, 1, 4));
}

TEST_F(BatcherLoadTest, PlacesCountBeforeTheImagesCome) {
  Make({.max_batch = 1,
        .max_delay = absl::ZeroDuration(),
        .max_queue = 256,
        .max_queue_delay = absl::Milliseconds(150)});
  LearnThePace();
  auto first = HoldTheModel();
  const RequestPtr request = MakeRequest();
  {
    auto place = batcher_->Reserve(*request, Priority::kInteractive, 1);
    ASSERT_TRUE(place.ok()) << place.status();
    EXPECT_EQ(Reason(Submit(1).get()), "MODEL_QUEUE_FULL");
    EXPECT_EQ(batcher_->queue_depth(), 0u);
    // Moving it gives nothing back.
    Batcher::Place moved = *std::move(place);
    EXPECT_EQ(Reason(Submit(1).get()), "MODEL_QUEUE_FULL");
  }
  auto later = Submit(2);
  model_.Release();
  EXPECT_TRUE(later.get().ok()) << "a place that was not used is free again";
}

TEST_F(BatcherLoadTest, CropsTakeTheirPlacesOneByOne) {
  Make({.max_batch = 8, .max_delay = absl::ZeroDuration(), .max_queue = 4});
  LearnThePace();
  auto first = HoldTheModel();
  const RequestPtr request = MakeRequest();
  auto place = batcher_->Reserve(*request, Priority::kInteractive, 3);
  ASSERT_TRUE(place.ok());
  EXPECT_EQ(Reason(batcher_->Reserve(*request, Priority::kInteractive, 2).status()), "MODEL_QUEUE_FULL");
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 3; ++i) {
    auto promise = std::make_shared<std::promise<Answer>>();
    answers.push_back(promise->get_future());
    batcher_->Submit(*place, request, FakeModel::MakeImage(static_cast<float>(i)),
                     [promise](Answer answer) { promise->set_value(std::move(answer)); });
  }
  EXPECT_TRUE(batcher_->Reserve(*request, Priority::kInteractive, 1).ok());
  EXPECT_FALSE(batcher_->Reserve(*request, Priority::kInteractive, 2).ok());
  model_.Release();
  for (auto& answer : answers) EXPECT_TRUE(answer.get().ok());
}

TEST_F(BatcherLoadTest, ADeadlineBehindTheQueueIsRefusedAtOnce) {
  Make({.max_batch = 1, .max_delay = absl::ZeroDuration(), .max_queue = 256});
  LearnThePace();
  auto first = HoldTheModel();
  auto a = Submit(1);
  // 100 ms of the one that runs, 100 of the one that waits, 100 of its own.
  const Answer refused = Submit(2, Priority::kInteractive, MakeRequest(absl::Milliseconds(290))).get();
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Reason(refused), "MODEL_QUEUE_FULL");
  EXPECT_EQ(base::GetErrorInfo(refused.status()).retry_after, absl::Milliseconds(200));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("would be embedded in about 3"));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("the deadline is in 290ms"));
  auto b = Submit(3, Priority::kInteractive, MakeRequest(absl::Milliseconds(400)));
  model_.Release();
  EXPECT_TRUE(a.get().ok());
  EXPECT_TRUE(b.get().ok());
}

TEST_F(BatcherLoadTest, ADeadlineShorterThanTheModelNeverReachesIt) {
  Make({.max_batch = 8, .max_delay = absl::ZeroDuration(), .max_queue = 256});
  LearnThePace();
  for (int i = 0; i < 20; ++i) {
    const Answer refused = Submit(1, Priority::kInteractive, MakeRequest(absl::Milliseconds(50))).get();
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(Reason(refused), kDeadlineTooShort);
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr("the deadline is in 50ms; the model takes about "));
  }
  EXPECT_THAT(model_.WaitForBatches(1), ElementsAre(ElementsAre(-2)));
}

TEST_F(BatcherLoadTest, APaceThatWasOnceSlowIsMeasuredAgain) {
  Make({.max_batch = 8, .max_delay = absl::ZeroDuration(), .max_queue = 256});
  LearnThePace();
  EXPECT_EQ(Reason(Submit(1, Priority::kInteractive, MakeRequest(absl::Milliseconds(50))).get()), kDeadlineTooShort);
  clock_.Move(absl::Seconds(2));
  // It is let through, and since the model still takes 100 ms, its time is wasted.
  const RequestPtr request = MakeRequest(absl::Milliseconds(50));
  Submit(2, Priority::kInteractive, request).wait();
  EXPECT_FALSE(request->Check().ok());
  base::MutexLock lock(mutex_);
  EXPECT_DOUBLE_EQ(total_, 200);
  EXPECT_DOUBLE_EQ(wasted_, 100);
}

TEST_F(BatcherLoadTest, ABatchGrowsOnlyWhileAllInItGetTheirAnswersInTime) {
  Make({.max_batch = 4, .max_delay = absl::ZeroDuration(), .max_queue = 256});
  LearnThePace();
  auto first = HoldTheModel();
  // 100 ms for the one that runs, then time for a batch of two and not of three.
  auto tight = Submit(1, Priority::kInteractive, MakeRequest(absl::Milliseconds(380)));
  auto b = Submit(2), c = Submit(3);
  model_.Release();
  EXPECT_TRUE(tight.get().ok());
  EXPECT_TRUE(b.get().ok());
  EXPECT_TRUE(c.get().ok());
  EXPECT_THAT(model_.WaitForBatches(4),
              ElementsAre(ElementsAre(-2), ElementsAre(-1), ElementsAre(1, 2), ElementsAre(3)));
}

TEST_F(BatcherLoadTest, WhatDiesInABatchIsCountedAsWasted) {
  Make({.max_batch = 4, .max_delay = absl::ZeroDuration(), .max_queue = 256});
  LearnThePace();
  model_.Hold();
  const RequestPtr request = MakeRequest();
  auto cancelled = Submit(1, Priority::kInteractive, request);
  model_.WaitForBatches(2);
  request->Cancel();
  model_.Release();
  cancelled.wait();
  base::MutexLock lock(mutex_);
  EXPECT_DOUBLE_EQ(wasted_, 100);
}

TEST_F(BatcherLoadTest, BulkTakesNoPlacesFromInteractiveWork) {
  Make(
      {.max_batch = 2, .max_delay = absl::ZeroDuration(), .max_queue = 16, .max_queue_delay = absl::Milliseconds(400)});
  LearnThePace();
  auto first = HoldTheModel();
  std::vector<std::future<Answer>> bulk;
  for (int i = 0; i < 16; ++i) bulk.push_back(Submit(static_cast<float>(100 + i), Priority::kBulk));
  EXPECT_EQ(Reason(Submit(1, Priority::kBulk).get()), "MODEL_QUEUE_FULL") << "bulk work is bounded by its number";
  auto a = Submit(1), b = Submit(2);
  model_.Release();
  EXPECT_TRUE(a.get().ok());
  EXPECT_TRUE(b.get().ok());
  for (auto& one : bulk) EXPECT_TRUE(one.get().ok());
  const auto batches = model_.WaitForBatches(3);
  EXPECT_THAT(batches[2], ElementsAre(1, 2)) << "all of it goes first";
}

TEST_F(BatcherLoadTest, BulkRidesAlongOnlyWhereItCostsLittle) {
  Make({.max_batch = 4, .max_delay = absl::ZeroDuration(), .max_queue = 16});
  LearnThePace();
  auto first = HoldTheModel();
  auto bulk = Submit(100, Priority::kBulk);
  auto a = Submit(1);
  model_.Release();
  EXPECT_TRUE(a.get().ok());
  EXPECT_TRUE(bulk.get().ok());
  EXPECT_THAT(model_.WaitForBatches(4),
              ElementsAre(ElementsAre(-2), ElementsAre(-1), ElementsAre(1), ElementsAre(100)));
}

TEST_F(BatcherLoadTest, NoBatchRunsLongerThanHalfOfWhatInteractiveWorkMayWait) {
  Make(
      {.max_batch = 8, .max_delay = absl::ZeroDuration(), .max_queue = 16, .max_queue_delay = absl::Milliseconds(400)});
  LearnThePace();
  auto first = HoldTheModel();
  std::vector<std::future<Answer>> bulk;
  for (int i = 0; i < 4; ++i) bulk.push_back(Submit(static_cast<float>(i), Priority::kBulk));
  model_.Release();
  for (auto& one : bulk) EXPECT_TRUE(one.get().ok());
  EXPECT_THAT(model_.WaitForBatches(5),
              ElementsAre(ElementsAre(-2), ElementsAre(-1), ElementsAre(0, 1), ElementsAre(2), ElementsAre(3)));
}

// Cancels at any moment, also while the answer is on its way; the answer comes exactly once and nothing stays behind.
TEST_F(BatcherLoadTest, SurvivesAStormOfCancellations) {
  Make({.max_batch = 4, .max_delay = absl::ZeroDuration(), .max_queue = 10'000});
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  constexpr int kThreads = 3;
  constexpr int kRequests = 400;
  std::atomic<int> answered = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(seed + static_cast<unsigned>(t));
      std::vector<std::future<void>> open;
      for (int i = 0; i < kRequests; ++i) {
        const RequestPtr request = MakeRequest();
        auto promise = std::make_shared<std::promise<void>>();
        open.push_back(promise->get_future());
        const Priority priority = random() % 2 == 0 ? Priority::kBulk : Priority::kInteractive;
        // Half of them keep a place for a while, some never use it.
        auto place = batcher_->Reserve(*request, priority, 1);
        if (!place.ok()) {
          ++answered;
          promise->set_value();
          continue;
        }
        const bool cancel = random() % 2 == 0;
        if (random() % 8 == 0) {
          ++answered;
          promise->set_value();
          continue;
        }
        batcher_->Submit(*place, request, FakeModel::MakeImage(1), [&, request, cancel, promise](const Answer&) {
          if (cancel) request->Cancel();  // just as it completes
          ++answered;
          promise->set_value();
        });
        if (cancel && random() % 2 == 0) request->Cancel();
      }
      for (auto& one : open) one.wait();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, kThreads * kRequests);
  EXPECT_EQ(batcher_->queue_depth(), 0u);
  // Every place came back: there is room for all of them at once.
  EXPECT_TRUE(batcher_->Reserve(*MakeRequest(), Priority::kInteractive, 10'000).ok());
  EXPECT_TRUE(batcher_->Reserve(*MakeRequest(), Priority::kBulk, 10'000).ok());
}

}  // namespace
}  // namespace sightline::server
