#include "server/batcher.h"

#include <pthread.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/device/device.h"

namespace sightline::server {
namespace {

// Every how many batches bulk work goes first.
constexpr int kBulkShare = 8;

// How much longer a batch of interactive images may take for bulk ones to ride along. On a CPU a batch costs nearly
// what its images cost one by one, on a GPU hardly more than one of them.
constexpr double kRidersCost = 1.5;

// A retry before the shortest would come too soon to help, after the longest nobody waits for it.
constexpr absl::Duration kShortestRetry = absl::Milliseconds(50);
constexpr absl::Duration kLongestRetry = absl::Seconds(30);

// When nothing waits, and the pace was measured longer ago than both of these, a request that looks too late is run all
// the same: otherwise a pace that was once measured too slow could never be corrected. This wastes a tenth of the
// model's time at most.
constexpr double kStaleMilliseconds = 1000;
constexpr double kStaleRuns = 10;

absl::Duration RetryAfter(double milliseconds) {
  return std::clamp(absl::Milliseconds(std::ceil(milliseconds)), kShortestRetry, kLongestRetry);
}

absl::Status QueueFull(size_t limit, double wait) {
  return base::RetryableError(
      absl::StatusCode::kResourceExhausted, "MODEL_QUEUE_FULL",
      absl::StrCat("the model's queue holds ", limit,
                   " images, its limit. Try again after the delay given, or raise --max_queue."),
      RetryAfter(wait), {{"limit", absl::StrCat(limit)}, {"actual", absl::StrCat(limit + 1)}});
}

absl::Status WaitTooLong(absl::Duration limit, double wait) {
  const std::string actual = absl::FormatDuration(absl::Milliseconds(std::ceil(wait)));
  return base::RetryableError(
      absl::StatusCode::kResourceExhausted, "MODEL_QUEUE_FULL",
      absl::StrCat("the image would wait about ", actual, " for the model; the limit is ", absl::FormatDuration(limit),
                   ". Try again after the delay given, or raise --max_queue_delay."),
      RetryAfter(wait), {{"limit", absl::FormatDuration(limit)}, {"actual", actual}});
}

absl::Status WaitPastDeadline(double left, double needed, double wait) {
  const std::string actual = absl::FormatDuration(absl::Milliseconds(std::ceil(needed)));
  const std::string limit = absl::FormatDuration(absl::Milliseconds(std::floor(left)));
  return base::RetryableError(
      absl::StatusCode::kResourceExhausted, "MODEL_QUEUE_FULL",
      absl::StrCat("the image would be embedded in about ", actual, ", with what waits before it; the deadline is in ",
                   limit, ". Try again after the delay given, or allow more time."),
      RetryAfter(wait), {{"limit", limit}, {"actual", actual}});
}

absl::Status DeadlineTooShort(double left, double needed) {
  const std::string actual = absl::FormatDuration(absl::Milliseconds(std::ceil(needed)));
  const std::string limit = absl::FormatDuration(absl::Milliseconds(std::floor(left)));
  return base::Error(absl::StatusCode::kDeadlineExceeded, kDeadlineTooShort,
                     absl::StrCat("the deadline is in ", limit, "; the model takes about ", actual,
                                  " for such an image, even when nothing waits. Allow more time."),
                     {{"limit", limit}, {"actual", actual}});
}

absl::Status Stopping() {
  return base::RetryableError(absl::StatusCode::kUnavailable, "MODEL_UNLOADING",
                              "the model is being unloaded. Try again, on another server if there is one.",
                              absl::Seconds(1));
}

// Long enough for a model that is loaded elsewhere instead to be there soon.
constexpr absl::Duration kLostRetry = absl::Seconds(1);

absl::Status DeviceLost(absl::string_view device) {
  return base::RetryableError(absl::StatusCode::kUnavailable, kDeviceLost,
                              absl::StrCat("the device ", device,
                                           " has failed and is not used any more. Try again after the delay given: "
                                           "another device, or another server, may take the image."),
                              kLostRetry, {{"actual", std::string(device)}});
}

double MillisecondsLeft(const Request& request, base::Clock::Ticks now) {
  return base::MillisecondsBetween(now, request.deadline());
}

}  // namespace

Batcher::Place& Batcher::Place::operator=(Place&& other) noexcept {
  if (this == &other) return *this;
  GiveBack();
  batcher_ = std::exchange(other.batcher_, nullptr);
  priority_ = other.priority_;
  images_ = other.images_;
  milliseconds_ = other.milliseconds_;
  return *this;
}

void Batcher::Place::GiveBack() {
  if (batcher_ == nullptr) return;
  base::MutexLock lock(batcher_->mutex_);
  batcher_->Unreserve(*this, images_);
  batcher_ = nullptr;
}

Batcher::Batcher(std::shared_ptr<model::Model> model, Options options)
    : model_(std::move(model)), options_(std::move(options)), thread_([this] { Run(); }) {}

Batcher::~Batcher() {
  Stop();
  thread_.join();
}

void Batcher::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
}

absl::Status Batcher::Closed() const {
  if (stopping_) return Stopping();
  return lost_.ok() ? absl::OkStatus() : DeviceLost(options_.device);
}

absl::Status Batcher::lost() const {
  base::MutexLock lock(mutex_);
  return lost_;
}

absl::StatusOr<Batcher::Place> Batcher::Reserve(const Request& request, Priority priority, int images) {
  base::MutexLock lock(mutex_);
  SIGHTLINE_RETURN_IF_ERROR(Closed());
  SIGHTLINE_RETURN_IF_ERROR(Admit(request, priority, images));
  Place place(this, priority, images, pace_.ExpectAny(1).mean);
  Lane& lane = LaneOf(priority);
  lane.reserved += images;
  lane.reserved_milliseconds += images * place.milliseconds_;
  return place;
}

void Batcher::Unreserve(Place& place, int images) {
  Lane& lane = LaneOf(place.priority_);
  place.images_ -= images;
  lane.reserved -= images;
  lane.reserved_milliseconds -= images * place.milliseconds_;
  if (lane.reserved == 0) lane.reserved_milliseconds = 0;  // nothing is left of what rounding has left
}

absl::Status Batcher::Admit(const Request& request, Priority priority, int images) {
  SIGHTLINE_RETURN_IF_ERROR(request.Check());
  const base::Clock::Ticks now = request.clock().Steady();
  const Lane& lane = LaneOf(priority);
  const size_t waiting = lane.images();
  const double wait = ExpectedWait(priority, now);
  if (waiting > 0 && waiting + static_cast<size_t>(images) > options_.max_queue) {
    return QueueFull(options_.max_queue, wait);
  }
  const Pace::Estimate run = pace_.ExpectAny(images);
  const double left = MillisecondsLeft(request, now);
  const bool alone = !running_ && interactive_.images() + bulk_.images() == 0;
  if (left < run.safe && !MayTry(run, alone, now)) return DeadlineTooShort(left, run.safe);
  if (!alone && left < wait + run.safe) return WaitPastDeadline(left, wait + run.safe, wait);
  // What waits while the model does not run is about to leave the queue.
  const auto full = static_cast<size_t>(options_.max_batch);
  const size_t ahead = waiting - std::min(waiting, running_ ? 0 : full);
  if (priority == Priority::kInteractive && ahead >= full &&
      wait > absl::ToDoubleMilliseconds(options_.max_queue_delay)) {
    return WaitTooLong(options_.max_queue_delay, wait);
  }
  return absl::OkStatus();
}

Batcher::Expectation Batcher::Expect(const Request& request, Priority priority, int images) const {
  base::MutexLock lock(mutex_);
  const double wait = ExpectedWait(priority, request.clock().Steady());
  // A batch that runs counts as something, also while nothing is known of how long it takes.
  const size_t ahead = interactive_.images() + bulk_.images() + (running_ ? 1 : 0);
  return {.milliseconds = wait + pace_.ExpectAny(images).mean, .ahead = ahead};
}

double Batcher::ExpectedWait(Priority priority, base::Clock::Ticks now) const {
  const double rest = running_ ? std::max(0.0, base::MillisecondsBetween(now, expected_end_)) : 0;
  if (priority == Priority::kBulk) return rest + interactive_.expected() + bulk_.expected();
  const double share = bulk_.images() > 0 ? static_cast<double>(kBulkShare) / (kBulkShare - 1) : 1;
  return rest + share * interactive_.expected();
}

bool Batcher::MayTry(const Pace::Estimate& run, bool alone, base::Clock::Ticks now) {
  const double age = base::MillisecondsBetween(run.measured, now);
  return alone && age >= std::max(kStaleMilliseconds, kStaleRuns * run.mean);
}

void Batcher::Submit(RequestPtr request, model::PreparedImage image, Priority priority, Done done) {
  absl::StatusOr<Place> place = Reserve(*request, priority, 1);
  if (!place.ok()) return done(place.status());
  Submit(*place, std::move(request), std::move(image), std::move(done));
}

void Batcher::Submit(Place& place, RequestPtr request, model::PreparedImage image, Done done) {
  absl::Status closed;
  {
    base::MutexLock lock(mutex_);
    closed = Closed();
    Unreserve(place, 1);
    if (closed.ok()) {
      const base::Clock::Ticks now = request->clock().Steady();
      const double milliseconds = pace_.Expect(image.bucket, 1).mean;
      Lane& lane = LaneOf(place.priority_);
      lane.milliseconds += milliseconds;
      lane.queue.push_back({std::move(request), std::move(image), std::move(done), now, milliseconds});
    }
  }
  if (!closed.ok()) return done(std::move(closed));
  changed_.NotifyOne();
}

size_t Batcher::queue_depth() const {
  base::MutexLock lock(mutex_);
  return interactive_.queue.size() + bulk_.queue.size();
}

void Batcher::Run() {
  pthread_setname_np(pthread_self(), "batcher");
  bool was_busy = false;
  for (;;) {
    std::vector<Item> batch = NextBatch(was_busy);
    if (batch.empty()) return;
    Running running = Begin(std::move(batch));
    while (model_->depth() > 1 && doubted_.empty() && !(batch = BatchBehind()).empty()) {
      Running behind = Begin(std::move(batch));
      const base::Clock::Ticks end = End(std::move(running), /*more=*/true);
      behind.begin = std::max(behind.begin, end);
      running = std::move(behind);
    }
    End(std::move(running), /*more=*/false);
    if (!doubted_.empty()) SettleDoubt();
    was_busy = true;
  }
}

void Batcher::SettleDoubt() {
  std::vector<std::pair<Item, absl::Status>> failed = std::exchange(doubted_, {});
  if (!DeviceAnswers()) {
    const absl::Status why = failed.front().second;
    {
      base::MutexLock lock(mutex_);
      lost_ = why;
    }
    if (options_.on_lost) options_.on_lost(why);
    for (auto& [item, status] : failed) status = DeviceLost(options_.device);
  }
  for (auto& [item, status] : failed) item.done(std::move(status));
}

bool Batcher::DeviceAnswers() {
  const std::vector<model::PreparedImage> images = model_->WarmUpImages();
  if (images.empty()) return false;  // nothing speaks for it
  const model::PreparedImage* const smallest = &images.front();
  const absl::Status status = model_->Embed(absl::MakeConstSpan(&smallest, 1)).status();
  return base::GetErrorInfo(status).reason != model::kDeviceFailed;
}

std::vector<Batcher::Item> Batcher::NextBatch(bool was_busy) {
  for (;;) {
    std::vector<Item> batch;
    std::vector<std::pair<Item, absl::Status>> dead;
    absl::Status closed;
    {
      base::MutexLock lock(mutex_);
      const auto nothing_waits = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return interactive_.queue.empty() && bulk_.queue.empty();
      };
      if (nothing_waits()) was_busy = false;
      while (nothing_waits() && Closed().ok()) changed_.Wait(mutex_);
      closed = Closed();
      if (closed.ok()) {
        batch = TakeBatch(was_busy, &dead);
      } else {
        for (Lane* lane : {&interactive_, &bulk_}) {
          for (Item& item : lane->queue) dead.emplace_back(std::move(item), closed);
          lane->queue.clear();
          lane->milliseconds = 0;
        }
      }
    }
    for (auto& [item, status] : dead) item.done(status);
    if (!closed.ok() || !batch.empty()) return batch;
  }
}

std::vector<Batcher::Item> Batcher::TakeBatch(bool was_busy, std::vector<std::pair<Item, absl::Status>>* dead) {
  const bool bulk_turn = interactive_.queue.empty() || (!bulk_.queue.empty() && batches_since_bulk_ + 1 >= kBulkShare);
  Lane& first = bulk_turn ? bulk_ : interactive_;
  const Item& oldest = first.queue.front();
  const base::Clock& clock = oldest.request->clock();
  const std::string bucket = oldest.image.bucket;
  const base::Clock::Ticks close = oldest.arrival + absl::ToChronoNanoseconds(options_.max_delay);
  const auto wanted = static_cast<size_t>(pace_.WorthHaving(bucket, options_.max_batch));
  // Only this thread takes items, so the front, and with it the bucket, stays while it waits.
  while (was_busy && !stopping_ && CountBucket(bucket) < wanted && changed_.WaitUntil(mutex_, close)) {
  }
  const base::Clock::Ticks now = clock.Steady();
  TakeDead(now, dead);
  const size_t waiting = std::min(CountBucket(bucket), MostInTime(bucket));
  const auto most = static_cast<size_t>(pace_.WorthTaking(bucket, static_cast<int>(waiting), now));
  std::vector<Item> batch;
  if (bulk_turn) {
    // Interactive work that waits gives up a turn, of as many images as it has itself.
    const size_t share = interactive_.queue.empty() ? most : std::min(most, interactive_.queue.size());
    TakeBucket(bucket, share, now, &bulk_, &batch);
    TakeBucket(bucket, most, now, &interactive_, &batch);
  } else {
    TakeBucket(bucket, most, now, &interactive_, &batch);
    if (!batch.empty()) TakeBucket(bucket, std::min(most, MostWithRiders(bucket, batch.size())), now, &bulk_, &batch);
  }
  batches_since_bulk_ = bulk_turn ? 0 : batches_since_bulk_ + 1;
  return batch;
}

void Batcher::TakeDead(base::Clock::Ticks now, std::vector<std::pair<Item, absl::Status>>* dead) {
  const bool alone = interactive_.queue.size() + bulk_.queue.size() == 1;
  for (Lane* lane : {&interactive_, &bulk_}) {
    std::deque<Item> alive;
    for (Item& item : lane->queue) {
      absl::Status status = item.request->Check();
      const double left = MillisecondsLeft(*item.request, now);
      const Pace::Estimate run = pace_.Expect(item.image.bucket, 1);
      // It was let in with time to spare; by now the mean decides.
      if (status.ok() && left < run.mean && !MayTry(run, alone, now)) status = DeadlineTooShort(left, run.mean);
      if (status.ok()) {
        alive.push_back(std::move(item));
      } else {
        lane->milliseconds -= item.milliseconds;
        dead->emplace_back(std::move(item), std::move(status));
      }
    }
    lane->queue = std::move(alive);
    if (lane->queue.empty()) lane->milliseconds = 0;  // nothing is left of what rounding has left
  }
}

size_t Batcher::CountBucket(const std::string& bucket) const {
  const auto same = [&](const Item& item) { return item.image.bucket == bucket; };
  return static_cast<size_t>(std::count_if(interactive_.queue.begin(), interactive_.queue.end(), same) +
                             std::count_if(bulk_.queue.begin(), bulk_.queue.end(), same));
}

size_t Batcher::MostWithRiders(const std::string& bucket, size_t images) const {
  const auto full = static_cast<size_t>(options_.max_batch);
  if (!pace_.Knows(bucket)) return full;
  const double most = kRidersCost * pace_.Expect(bucket, static_cast<int>(images)).mean;
  size_t size = images;
  while (size < full && pace_.Expect(bucket, static_cast<int>(size) + 1).mean <= most) ++size;
  return size;
}

size_t Batcher::MostInTime(const std::string& bucket) const {
  const double most = absl::ToDoubleMilliseconds(options_.max_queue_delay) / 2;
  int size = 1;
  while (size < options_.max_batch && pace_.Expect(bucket, size + 1).mean <= most) ++size;
  return static_cast<size_t>(size);
}

void Batcher::TakeBucket(const std::string& bucket, size_t most, base::Clock::Ticks now, Lane* lane,
                         std::vector<Item>* batch) {
  double least = std::numeric_limits<double>::infinity();  // time left to one of the batch
  for (const Item& item : *batch) least = std::min(least, MillisecondsLeft(*item.request, now));
  std::deque<Item> rest;
  for (Item& item : lane->queue) {
    bool taken = batch->size() < most && item.image.bucket == bucket;
    if (taken) {
      const double left = std::min(least, MillisecondsLeft(*item.request, now));
      // A batch grows only as far as all in it get their answers in time.
      taken = batch->empty() || left >= pace_.Expect(bucket, static_cast<int>(batch->size()) + 1).mean;
      if (taken) least = left;
    }
    if (taken) {
      lane->milliseconds -= item.milliseconds;
      batch->push_back(std::move(item));
    } else {
      rest.push_back(std::move(item));
    }
  }
  lane->queue = std::move(rest);
  if (lane->queue.empty()) lane->milliseconds = 0;
}

std::vector<Batcher::Item> Batcher::BatchBehind() {
  std::vector<Item> batch;
  std::vector<std::pair<Item, absl::Status>> dead;
  {
    base::MutexLock lock(mutex_);
    const Lane& first = interactive_.queue.empty() ? bulk_ : interactive_;
    if (stopping_ || first.queue.empty()) return batch;
    const std::string& bucket = first.queue.front().image.bucket;
    if (CountBucket(bucket) < static_cast<size_t>(pace_.WorthHaving(bucket, options_.max_batch))) return batch;
    batch = TakeBatch(/*was_busy=*/false, &dead);
  }
  for (auto& [item, status] : dead) item.done(status);
  return batch;
}

Batcher::Running Batcher::Begin(std::vector<Item> items) {
  const base::Clock& clock = items.front().request->clock();
  std::vector<const model::PreparedImage*> images;
  images.reserve(items.size());
  for (const Item& item : items) images.push_back(&item.image);
  const base::Clock::Ticks begin = clock.Steady();
  {
    base::MutexLock lock(mutex_);
    const double milliseconds = pace_.Expect(items.front().image.bucket, static_cast<int>(items.size())).mean;
    const base::Clock::Ticks from = running_ ? std::max(begin, expected_end_) : begin;
    running_ = true;
    expected_end_ = from + absl::ToChronoNanoseconds(absl::Milliseconds(milliseconds));
  }
  // Cores are not what a device's batches compete for.
  const RunGate::Pass pass(model_->depth() > 1 ? nullptr : options_.gate);
  return {.items = std::move(items), .started = model_->Start(images), .begin = begin};
}

base::Clock::Ticks Batcher::End(Running running, bool more) {
  std::vector<Item>& batch = running.items;
  const base::Clock& clock = batch.front().request->clock();
  const std::string& bucket = batch.front().image.bucket;
  const int size = static_cast<int>(batch.size());
  absl::StatusOr<std::vector<model::Embedding>> embeddings;
  if (running.started.ok()) {
    embeddings = (*running.started)->Finish();
    running.started->reset();
  } else {
    embeddings = running.started.status();
  }
  const base::Clock::Ticks end = clock.Steady();
  const double milliseconds = base::MillisecondsBetween(running.begin, end);
  {
    base::MutexLock lock(mutex_);
    running_ = more;
    if (embeddings.ok()) pace_.Observe(bucket, size, milliseconds, end);
  }
  const auto dead =
      std::count_if(batch.begin(), batch.end(), [](const Item& item) { return !item.request->Check().ok(); });
  if (options_.on_batch) options_.on_batch(size, milliseconds, static_cast<double>(dead) / size);
  if (embeddings.ok() && embeddings->size() != batch.size()) {
    embeddings = base::Error(absl::StatusCode::kInternal, "MODEL_ANSWER_SHORT",
                             absl::StrCat("the model answered ", embeddings->size(), " of ", batch.size(),
                                          " images. Report this as a fault."));
  }
  const bool doubted = base::GetErrorInfo(embeddings.status()).reason == model::kDeviceFailed;
  for (size_t i = 0; i < batch.size(); ++i) {
    Item& item = batch[i];
    item.request->AddStage("queue", base::MillisecondsBetween(item.arrival, running.begin));
    item.request->AddStage("embed", milliseconds, size);
    if (embeddings.ok()) {
      item.done(std::move((*embeddings)[i]));
    } else if (doubted) {
      doubted_.emplace_back(std::move(item), embeddings.status());
    } else {
      item.done(embeddings.status());
    }
  }
  return end;
}

}  // namespace sightline::server
