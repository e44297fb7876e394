// The batcher over a model that works beside the processor: the next batch is begun while one runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/device/device.h"
#include "server/batcher.h"
#include "tests/support/fake_model.h"

namespace sightline::server {
namespace {

using sightline::testing::FakeModel;
using ::testing::ElementsAre;

using DeepAnswer = absl::StatusOr<model::Embedding>;

// A model beside the processor: what it was told and asked, in order, as "begin 1 2" and "end 1 2" of its images.
class DeepModel final : public model::Model {
 public:
  DeepModel(FakeModel* inner, std::vector<std::string>* events) : inner_(inner), events_(events) {}
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
    return inner_->Embed(batch);
  }
  absl::StatusOr<std::unique_ptr<Batch>> Start(absl::Span<const model::PreparedImage* const> batch) override {
    std::string name;
    for (const model::PreparedImage* image : batch) absl::StrAppend(&name, " ", image->planes.front().chw.front());
    events_->push_back("begin" + name);
    auto embeddings = inner_->Embed(batch);
    if (!embeddings.ok()) return embeddings.status();
    return std::make_unique<Begun>("end" + name, *std::move(embeddings), events_);
  }
  int depth() const override { return 2; }

 private:
  class Begun final : public Batch {
   public:
    Begun(std::string name, std::vector<model::Embedding> embeddings, std::vector<std::string>* events)
        : name_(std::move(name)), embeddings_(std::move(embeddings)), events_(events) {}
    absl::StatusOr<std::vector<model::Embedding>> Finish() override {
      events_->push_back(name_);
      return std::move(embeddings_);
    }

   private:
    const std::string name_;
    std::vector<model::Embedding> embeddings_;
    std::vector<std::string>* const events_;
  };
  FakeModel* const inner_;
  std::vector<std::string>* const events_;  // of the batcher's thread
};

// The first image holds the model in its begin, so that the others wait when it has begun.
std::vector<std::string> EventsBehindTheFirst(int images, const absl::Status& failure = absl::OkStatus(),
                                              const absl::Status& told = absl::OkStatus()) {
  FakeModel fake;
  std::vector<std::string> events;
  {
    Batcher batcher(std::make_unique<DeepModel>(&fake, &events), {.max_batch = 2, .max_queue = 64});
    std::vector<std::future<DeepAnswer>> answers;
    const auto submit = [&](float value) {
      auto promise = std::make_shared<std::promise<DeepAnswer>>();
      answers.push_back(promise->get_future());
      batcher.Submit(
          std::make_shared<Request>(base::Clock::Real(), base::Clock::Real().Steady() + std::chrono::hours(1)),
          FakeModel::MakeImage(value), Priority::kInteractive,
          [promise](DeepAnswer answer) { promise->set_value(std::move(answer)); });
    };
    fake.Hold();
    submit(0);
    fake.WaitForBatches(1);
    for (int i = 1; i <= images; ++i) submit(static_cast<float>(i));
    fake.Fail(failure);
    fake.Release();
    for (size_t i = 0; i < answers.size(); ++i) {
      const DeepAnswer answer = answers[i].get();
      EXPECT_EQ(base::GetErrorInfo(answer.status()).reason, base::GetErrorInfo(told).reason) << i;
      EXPECT_EQ(answer.status().code(), told.code()) << i;
      if (answer.ok()) {
        EXPECT_EQ(answer->descriptor.front(), static_cast<float>(i));
      }
    }
  }
  return events;
}

TEST(DeepBatcherTest, AFullBatchGoesBehindTheOneThatRuns) {
  EXPECT_THAT(EventsBehindTheFirst(4), ElementsAre("begin 0", "begin 1 2", "end 0", "begin 3 4", "end 1 2", "end 3 4"));
}

TEST(DeepBatcherTest, ASmallerOneWaitsForMore) {
  EXPECT_THAT(EventsBehindTheFirst(1), ElementsAre("begin 0", "end 0", "begin 1", "end 1"));
}

TEST(DeepBatcherTest, BatchesThatDoNotBeginAreAnswered) {
  const absl::Status failure = absl::InternalError("it has no such layer");
  EXPECT_THAT(EventsBehindTheFirst(4, failure, failure), ElementsAre("begin 0", "begin 1 2", "begin 3 4"));
}

TEST(DeepBatcherTest, BehindOneThatTheDeviceFailedNoneIsBegun) {
  const absl::Status failure = base::Error(absl::StatusCode::kInternal, model::kDeviceFailed, "it fell off. Try.");
  const absl::Status lost = base::Error(absl::StatusCode::kUnavailable, kDeviceLost, "it is lost. Try again.");
  // The second was begun before the first one's end was known.
  EXPECT_THAT(EventsBehindTheFirst(6, failure, lost), ElementsAre("begin 0", "begin 1 2"));
}

}  // namespace
}  // namespace sightline::server
