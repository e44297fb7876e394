// Batcher: puts single images together into batches for one model.
//
// One thread runs the model. A model that works beside the processor (Model::depth) gets its next batch while it is at
// the one before, if that has as many images as a batch is worth having: those of a smaller one are better off together
// with what comes until the first is done. When it comes back from a batch and more images wait, it closes the next
// batch when that has as many images as a batch is worth having (of the model's measured pace, `max_batch` at most) or
// when the oldest of them has waited `max_delay`; when it was idle, it takes what arrives at once. No batch of several
// images runs longer than half of `max_queue_delay`: what comes meanwhile waits for its end. Interactive work goes
// before bulk work, but bulk work gets every eighth batch, so it is slowed down and never stopped. Images of different
// sizes (buckets) never share a batch. Work that has expired, was cancelled, or cannot end before its deadline leaves
// the queue before it reaches the model.
//
// The queue is bounded by time. The batcher learns the model's pace, and Reserve refuses an image that would wait
// longer than `max_queue_delay`, or past its deadline, before anything is done for it; a place is taken when a request
// arrives, so that images still being decoded count as ahead of those that come after. `max_batch` images may
// always wait, or callers of a slow model could never come together. Bulk work, which callers slow down by themselves,
// is bounded by its number and its deadline alone, and takes no places from interactive work.
//
// A device that fails a batch is asked once more, with the smallest image there is. One that fails that too is lost:
// what waits and what comes is answered with UNAVAILABLE, and the thread ends. Its images are not handed to another
// device: that happens once in a device's life, and callers try again by themselves what is UNAVAILABLE.
//
// Threading: Reserve, Submit and the gauges from any thread. Ownership: the batcher keeps the model alive and owns its
// thread; the destructor answers what waits with UNAVAILABLE and joins. Places must not outlive it. Failure: Reserve
// says why there is no place, with the time after which to try again; Submit's `done` is called exactly once in any
// case, on the batcher's thread or, for a refusal, on the caller's.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(Batcher::Place place, batcher.Reserve(*request, Priority::kInteractive, 1));
//   ... decode and prepare ...
//   batcher.Submit(place, request, std::move(image), done);
#ifndef SIGHTLINE_SERVER_BATCHER_H_
#define SIGHTLINE_SERVER_BATCHER_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "model/model.h"
#include "server/pace.h"
#include "server/request.h"
#include "server/run_gate.h"

namespace sightline::server {

enum class Priority { kInteractive, kBulk };

// The reason of requests whose time would not do even if nothing waited.
inline constexpr char kDeadlineTooShort[] = "DEADLINE_TOO_SHORT";
// The reason of requests that were with a device when it failed for good, or come after that.
inline constexpr char kDeviceLost[] = "DEVICE_LOST";

class Batcher {
 public:
  struct Options {
    int max_batch = 8;
    absl::Duration max_delay = absl::Milliseconds(2);
    size_t max_queue = 256;                                     // of each priority
    absl::Duration max_queue_delay = absl::InfiniteDuration();  // of interactive work
    // Called on the batcher's thread after each batch, for metrics. `wasted`: the share of the time that went into
    // requests which were dead when the batch ended.
    std::function<void(int batch_size, double milliseconds, double wasted)> on_batch = {};
    RunGate* gate = nullptr;     // passed for each batch; must outlive the batcher
    std::string device = "cpu";  // where the model computes, for what is said of it
    // Called once, on the batcher's thread, when the device is lost: before anyone who waits is told.
    std::function<void(const absl::Status& why)> on_lost = {};
  };
  using Done = std::function<void(absl::StatusOr<model::Embedding>)>;

  // Places in the queue for images that are on their way to it; given back where they are not used.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept { *this = std::move(other); }
    Place& operator=(Place&& other) noexcept;
    ~Place() { GiveBack(); }
    Priority priority() const { return priority_; }
    // Whose it is. Not of one that was given back.
    Batcher& batcher() const { return *batcher_; }

   private:
    friend class Batcher;
    Place(Batcher* batcher, Priority priority, int images, double milliseconds)
        : batcher_(batcher), priority_(priority), images_(images), milliseconds_(milliseconds) {}
    void GiveBack();

    Batcher* batcher_ = nullptr;
    Priority priority_ = Priority::kInteractive;
    int images_ = 0;
    double milliseconds_ = 0;  // each is expected to take
  };

  Batcher(std::shared_ptr<model::Model> model, Options options);
  ~Batcher();
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  // Places for `images` of one request, or why there are none: RESOURCE_EXHAUSTED with a retry delay while too much
  // waits, DEADLINE_EXCEEDED where the request's time would not do even if nothing waited.
  absl::StatusOr<Place> Reserve(const Request& request, Priority priority, int images);

  // What batchers of one model are compared by: how long until images that come now would be embedded, and how many are
  // ahead of them. Less is better.
  struct Expectation {
    double milliseconds = 0;
    size_t ahead = 0;
    friend auto operator<=>(const Expectation&, const Expectation&) = default;
  };
  Expectation Expect(const Request& request, Priority priority, int images) const;

  // Uses one of the place's images.
  void Submit(Place& place, RequestPtr request, model::PreparedImage image, Done done);
  // Reserves and submits.
  void Submit(RequestPtr request, model::PreparedImage image, Priority priority, Done done);

  // Answers what waits, and all that comes, with UNAVAILABLE. A batch under way ends well.
  void Stop();

  const model::Model& model() const { return *model_; }
  const std::string& device() const { return options_.device; }
  // Why the device is lost; OK while it is not.
  absl::Status lost() const;
  size_t queue_depth() const;

 private:
  struct Item {
    RequestPtr request;
    model::PreparedImage image;
    Done done;
    base::Clock::Ticks arrival;
    double milliseconds;  // expected when it came
  };
  // What one priority has waiting, beside those that hold places.
  struct Lane {
    std::deque<Item> queue;
    double milliseconds = 0;  // that the queue is expected to take
    int reserved = 0;
    double reserved_milliseconds = 0;

    size_t images() const { return queue.size() + static_cast<size_t>(reserved); }
    double expected() const { return milliseconds + reserved_milliseconds; }
  };

  // A batch that the model is at.
  struct Running {
    std::vector<Item> items;
    absl::StatusOr<std::unique_ptr<model::Model::Batch>> started;
    base::Clock::Ticks begin;  // when the model had time for it
  };

  void Run();
  // OK while images are taken.
  absl::Status Closed() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Answers what the device has failed, once it is known whether the device is lost.
  void SettleDoubt() ABSL_LOCKS_EXCLUDED(mutex_);
  bool DeviceAnswers();
  // Waits for work and takes the next batch; empty when the batcher is stopping. `was_busy`: the model has just come
  // back from a batch, and more images may be about to come.
  std::vector<Item> NextBatch(bool was_busy) ABSL_LOCKS_EXCLUDED(mutex_);
  // A batch to put behind the one that runs; empty when what waits is not worth one.
  std::vector<Item> BatchBehind() ABSL_LOCKS_EXCLUDED(mutex_);
  Lane& LaneOf(Priority priority) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return priority == Priority::kInteractive ? interactive_ : bulk_;
  }
  // Milliseconds until the model would begin with an image that comes now.
  double ExpectedWait(Priority priority, base::Clock::Ticks now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Admit(const Request& request, Priority priority, int images) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether a request whose time seems too short for this run is let through, so that the pace is measured again.
  // `alone`: nothing else wants the model.
  static bool MayTry(const Pace::Estimate& run, bool alone, base::Clock::Ticks now);
  void Unreserve(Place& place, int images) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The next batch of what waits; empty when all of it was dead.
  std::vector<Item> TakeBatch(bool was_busy, std::vector<std::pair<Item, absl::Status>>* dead)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeDead(base::Clock::Ticks now, std::vector<std::pair<Item, absl::Status>>* dead)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeBucket(const std::string& bucket, size_t most, base::Clock::Ticks now, Lane* lane, std::vector<Item>* batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // How many images a batch of interactive ones may have once bulk ones ride along.
  size_t MostWithRiders(const std::string& bucket, size_t images) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // How many images a batch may have that runs no longer than what comes meanwhile may wait.
  size_t MostInTime(const std::string& bucket) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  size_t CountBucket(const std::string& bucket) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Running Begin(std::vector<Item> items) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for the model and answers. `more`: another batch is behind it. When the model was done.
  base::Clock::Ticks End(Running running, bool more) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::shared_ptr<model::Model> model_;
  const Options options_;
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  Lane interactive_ ABSL_GUARDED_BY(mutex_);
  Lane bulk_ ABSL_GUARDED_BY(mutex_);
  Pace pace_ ABSL_GUARDED_BY(mutex_);
  bool running_ ABSL_GUARDED_BY(mutex_) = false;                  // the model is at work
  base::Clock::Ticks expected_end_ ABSL_GUARDED_BY(mutex_) = {};  // of what the model is at
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status lost_ ABSL_GUARDED_BY(mutex_);  // what the device said last; OK while it is not lost
  int batches_since_bulk_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::pair<Item, absl::Status>> doubted_;  // failed by the device and not answered yet; of the thread
  std::thread thread_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_BATCHER_H_
