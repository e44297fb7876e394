#include "model/train/data/loader.h"

#include <algorithm>
#include <deque>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/status.h"
#include "model/train/data/augment.h"
#include "model/train/data/photo_file.h"
#include "model/train/scene/random.h"

namespace sightline::train {

// Threads take the photographs of the batches in the window, oldest first; whoever ends the last photograph of a batch
// replaces those that could not be read. The window holds `ahead` batches at most and opens as Next takes from it.
class Loader::State {
 public:
  State(const Dataset& dataset, std::vector<BatchPlan> plan, const LoaderOptions& options)
      : dataset_(dataset),
        plan_(std::move(plan)),
        options_(options),
        next_(static_cast<size_t>(std::max<int64_t>(options.first_batch, 0))) {
    for (int i = 0; i < std::max(options.threads, 1); ++i) threads_.emplace_back([this] { Work(); });
  }

  ~State() {
    {
      base::MutexLock lock(mutex_);
      stopping_ = true;
    }
    changed_.NotifyAll();
    for (std::thread& thread : threads_) thread.join();
  }

  absl::StatusOr<std::optional<LoadedBatch>> Next() {
    std::unique_ptr<Pending> batch;
    {
      base::MutexLock lock(mutex_);
      if (window_.empty() && next_ >= plan_.size()) return std::nullopt;
      while (window_.empty() || !window_.front()->done) changed_.Wait(mutex_);
      batch = std::move(window_.front());
      window_.pop_front();
    }
    changed_.NotifyAll();
    if (!batch->error.ok()) return batch->error;
    return std::move(batch->loaded);
  }

 private:
  // A batch in the making. What no lock guards is written by the one thread that has the photograph, or, once all are
  // loaded, by the one that ends the batch.
  struct Pending {
    size_t number = 0;   // in the plan
    size_t started = 0;  // photographs; guarded by mutex_, as are the next two
    size_t loaded_photos = 0;
    bool done = false;
    LoadedBatch loaded;
    std::vector<absl::Status> read;  // by place
    absl::Status error;
  };

  void Work() {
    while (true) {
      Pending* batch = nullptr;
      size_t place = 0;
      {
        base::MutexLock lock(mutex_);
        while (!stopping_ && (batch = Startable()) == nullptr) changed_.Wait(mutex_);
        if (stopping_) return;
        place = batch->started++;
      }
      // Of a batch without photographs the first thread to come only ends it.
      const size_t count = plan_[batch->number].photos.size();
      if (place < count) batch->read[place] = Load(*batch, place, place);
      bool last = false;
      {
        base::MutexLock lock(mutex_);
        last = ++batch->loaded_photos >= count;
      }
      if (!last) continue;
      Complete(*batch);
      {
        base::MutexLock lock(mutex_);
        batch->done = true;
      }
      changed_.NotifyAll();
    }
  }

  // The oldest batch with a photograph that nobody has begun; null where there is none.
  Pending* Startable() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (const auto& batch : window_) {
      if (batch->started < plan_[batch->number].photos.size()) return batch.get();
    }
    if (next_ >= plan_.size() || window_.size() >= static_cast<size_t>(std::max(options_.ahead, 1))) return nullptr;
    auto batch = std::make_unique<Pending>();
    batch->number = next_++;
    const BatchPlan& plan = plan_[batch->number];
    batch->loaded.height = plan.height;
    batch->loaded.width = plan.width;
    batch->loaded.rgb.resize(plan.photos.size() * PhotoBytes(plan));
    batch->loaded.labels.resize(plan.photos.size());
    batch->read.resize(plan.photos.size());
    window_.push_back(std::move(batch));
    return window_.back().get();
  }

  static size_t PhotoBytes(const BatchPlan& plan) {
    return static_cast<size_t>(plan.height) * static_cast<size_t>(plan.width) * 3;
  }

  // Puts the photograph that the plan has at `source` at `place`, with the chance of that place.
  absl::Status Load(Pending& batch, size_t source, size_t place) {
    const BatchPlan& plan = plan_[batch.number];
    const Photo& photo = dataset_.photos[static_cast<size_t>(plan.photos[source])];
    SIGHTLINE_ASSIGN_OR_RETURN(const image::Image image,
                               ReadPhoto(photo, plan.height, plan.width, options_.augment.crop_area));
    scene::Random random =
        scene::Random::For(options_.seed, {static_cast<uint64_t>(options_.epoch), batch.number, place});
    const image::Image seen = Augment(image, plan.height, plan.width, options_.augment, random);
    std::copy(seen.rgb.begin(), seen.rgb.end(),
              batch.loaded.rgb.begin() + static_cast<std::ptrdiff_t>(place * PhotoBytes(plan)));
    batch.loaded.labels[place] = plan.labels.empty() ? photo.label : plan.labels[source];
    return absl::OkStatus();
  }

  // Fills the places of photographs that cannot be read with the next one that can.
  void Complete(Pending& batch) {
    const size_t count = batch.read.size();
    for (size_t place = 0; place < count; ++place) {
      if (batch.read[place].ok()) continue;
      ++batch.loaded.unreadable;
      NameOnce(dataset_.photos[static_cast<size_t>(plan_[batch.number].photos[place])].path, batch.read[place]);
      absl::Status replaced = batch.read[place];
      for (size_t step = 1; step < count && !replaced.ok(); ++step) {
        const size_t source = (place + step) % count;
        if (batch.read[source].ok()) replaced = Load(batch, source, place);
      }
      if (!replaced.ok()) {
        batch.error = base::InvalidArgument("BATCH_UNREADABLE",
                                            absl::StrCat("none of the ", count, " photographs of batch ", batch.number,
                                                         " can be read; the last problem: ", replaced.message()));
        return;
      }
    }
  }

  void NameOnce(const std::string& path, const absl::Status& status) {
    {
      base::MutexLock lock(mutex_);
      if (!named_.insert(path).second) return;
    }
    base::Log(base::Severity::kWarning, "photograph cannot be read and is replaced by another",
              {{"path", path}, {"error", std::string(status.message())}});
  }

  const Dataset& dataset_;
  const std::vector<BatchPlan> plan_;
  const LoaderOptions options_;

  base::Mutex mutex_;
  base::CondVar changed_;
  std::deque<std::unique_ptr<Pending>> window_ ABSL_GUARDED_BY(mutex_);
  size_t next_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> named_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

Loader::Loader(const Dataset& dataset, std::vector<BatchPlan> plan, const LoaderOptions& options)
    : state_(std::make_unique<State>(dataset, std::move(plan), options)) {}

Loader::~Loader() = default;

absl::StatusOr<std::optional<LoadedBatch>> Loader::Next() { return state_->Next(); }

}  // namespace sightline::train
