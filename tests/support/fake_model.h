// FakeModel: a model without a network. Its descriptor is a function of the pixels alone, so tests can tell images
// apart, and a test can hold it inside Embed to let work pile up.
//
// Threading: as model::Model; the test's own methods from any thread.
#ifndef SIGHTLINE_TESTS_SUPPORT_FAKE_MODEL_H_
#define SIGHTLINE_TESTS_SUPPORT_FAKE_MODEL_H_

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "model/model.h"

namespace sightline::testing {

class FakeModel final : public model::Model {
 public:
  // `mark` is the third value of every descriptor.
  explicit FakeModel(const std::string& space = "fake-space", float mark = 0) : mark_(mark) {
    info_.name = "fake";
    info_.architecture = "fake";
    info_.embedding_space = space;
    info_.descriptor_dim = 4;
    ++alive_;
  }
  ~FakeModel() override { --alive_; }

  // How many there are.
  static int alive() { return alive_; }

  const model::ModelInfo& info() const override { return info_; }
  int wanted_side(int, int) const override { return 32; }

  // One for each of these sides, to be run before others.
  void SetWarmUpSides(std::vector<int> sides) { warm_up_sides_ = std::move(sides); }
  std::vector<model::PreparedImage> WarmUpImages() const override {
    std::vector<model::PreparedImage> images;
    for (const int side : warm_up_sides_) {
      images.push_back(MakeImage(0, absl::StrCat("warm-", side)));
      images.back().planes.front().width = images.back().planes.front().height = side;
    }
    return images;
  }

  // From now on it is the model of `space` with a whitening behind it, which turns a descriptor's values round.
  void SetBareSpace(const std::string& space) { info_.bare_space = space; }
  absl::StatusOr<std::vector<float>> Whiten(absl::Span<const float> descriptor) const override {
    return std::vector<float>(descriptor.rbegin(), descriptor.rend());
  }

  // What of an image the patch tokens cover, from now on.
  void SetSeenPart(const image::CropBox& part) { seen_part_ = part; }
  image::CropBox SeenPart(int, int) const override { return seen_part_; }

  absl::StatusOr<model::PreparedImage> Prepare(const image::Image& image,
                                               const std::optional<image::CropBox>&) const override {
    return MakeImage(static_cast<float>(image.rgb.front()), absl::StrCat(image.width, "x", image.height));
  }

  absl::StatusOr<std::vector<model::Embedding>> Embed(absl::Span<const model::PreparedImage* const> batch) override {
    std::vector<model::Embedding> out;
    std::vector<float> values;
    for (const model::PreparedImage* image : batch) {
      values.push_back(image->planes.front().chw.front());
      out.push_back({{values.back(), 1, mark_, 0}, {}});
    }
    if (pause_ > absl::ZeroDuration()) std::this_thread::sleep_for(absl::ToChronoNanoseconds(pause_));
    base::MutexLock lock(mutex_);
    batches_.push_back(values);
    changed_.NotifyAll();
    while (held_) changed_.Wait(mutex_);
    if (!next_failure_.ok()) return std::exchange(next_failure_, absl::OkStatus());
    return failure_.ok() ? absl::StatusOr<std::vector<model::Embedding>>(std::move(out)) : failure_;
  }

  // An image whose descriptor begins with `value`.
  static model::PreparedImage MakeImage(float value, const std::string& bucket = "a") {
    model::PreparedImage image;
    image.planes.push_back({1, 1, {value, 0, 0}});
    image.bucket = bucket;
    return image;
  }

  // How long each batch takes. Before use.
  void SetPause(absl::Duration pause) { pause_ = pause; }

  void Hold() {
    base::MutexLock lock(mutex_);
    held_ = true;
  }
  void Release() {
    base::MutexLock lock(mutex_);
    held_ = false;
    changed_.NotifyAll();
  }
  void Fail(absl::Status status) {
    base::MutexLock lock(mutex_);
    failure_ = std::move(status);
  }
  // How often Embed has been entered.
  size_t batches() {
    base::MutexLock lock(mutex_);
    return batches_.size();
  }
  // Only the next batch.
  void FailOnce(absl::Status status) {
    base::MutexLock lock(mutex_);
    next_failure_ = std::move(status);
  }
  // Waits until Embed has been entered `count` times; returns the first value of every image of every batch.
  std::vector<std::vector<float>> WaitForBatches(size_t count) {
    base::MutexLock lock(mutex_);
    while (batches_.size() < count) changed_.Wait(mutex_);
    return batches_;
  }

 private:
  inline static std::atomic<int> alive_ = 0;
  const float mark_;
  model::ModelInfo info_;
  std::vector<int> warm_up_sides_;
  image::CropBox seen_part_;
  absl::Duration pause_;
  base::Mutex mutex_;
  base::CondVar changed_;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  absl::Status next_failure_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::vector<float>> batches_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_SUPPORT_FAKE_MODEL_H_
