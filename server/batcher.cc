#include "server/batcher.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::server {
namespace {

// Every how many batches bulk work goes first.
constexpr int kBulkShare = 8;

absl::Status QueueFull(size_t limit) {
  return base::RetryableError(
      absl::StatusCode::kResourceExhausted, "MODEL_QUEUE_FULL",
      absl::StrCat("the model's queue holds ", limit,
                   " images, its limit. Try again after the delay given, or raise --max_queue."),
      absl::Milliseconds(250), {{"limit", absl::StrCat(limit)}, {"actual", absl::StrCat(limit + 1)}});
}

absl::Status Stopping() {
  return base::RetryableError(absl::StatusCode::kUnavailable, "MODEL_UNLOADING",
                              "the model is being unloaded. Try again, on another server if there is one.",
                              absl::Seconds(1));
}

}  // namespace

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

void Batcher::Submit(RequestPtr request, model::PreparedImage image, Priority priority, Done done) {
  absl::Status refusal;
  {
    base::MutexLock lock(mutex_);
    if (stopping_) {
      refusal = Stopping();
    } else if (interactive_.size() + bulk_.size() >= options_.max_queue) {
      refusal = QueueFull(options_.max_queue);
    } else {
      const base::Clock::Ticks now = request->clock().Steady();
      std::deque<Item>& queue = priority == Priority::kInteractive ? interactive_ : bulk_;
      queue.push_back({std::move(request), std::move(image), std::move(done), now});
    }
  }
  if (!refusal.ok()) {
    done(refusal);
    return;
  }
  changed_.NotifyOne();
}

size_t Batcher::queue_depth() const {
  base::MutexLock lock(mutex_);
  return interactive_.size() + bulk_.size();
}

void Batcher::Run() {
  pthread_setname_np(pthread_self(), "batcher");
  bool was_busy = false;
  for (;;) {
    std::vector<Item> batch = NextBatch(was_busy);
    if (batch.empty()) return;
    RunBatch(std::move(batch));
    was_busy = true;
  }
}

std::vector<Batcher::Item> Batcher::NextBatch(bool was_busy) {
  for (;;) {
    std::vector<Item> batch;
    std::vector<Item> dead;
    bool stopping = false;
    {
      base::MutexLock lock(mutex_);
      if (interactive_.empty() && bulk_.empty()) was_busy = false;
      while (interactive_.empty() && bulk_.empty() && !stopping_) changed_.Wait(mutex_);
      if (!stopping_) {
        const bool bulk_turn = interactive_.empty() || (!bulk_.empty() && batches_since_bulk_ + 1 >= kBulkShare);
        std::deque<Item>& first = bulk_turn ? bulk_ : interactive_;
        std::deque<Item>& second = bulk_turn ? interactive_ : bulk_;
        const std::string bucket = first.front().image.bucket;
        const base::Clock::Ticks close = first.front().arrival + absl::ToChronoNanoseconds(options_.max_delay);
        // Only this thread takes items, so the front, and with it the bucket, stays while it waits.
        while (was_busy && !stopping_ && CountBucket(bucket) < static_cast<size_t>(options_.max_batch) &&
               changed_.WaitUntil(mutex_, close)) {
        }
        TakeDead(&dead);
        TakeBucket(bucket, &first, &batch);
        TakeBucket(bucket, &second, &batch);
        batches_since_bulk_ = bulk_turn ? 0 : batches_since_bulk_ + 1;
      } else {
        stopping = true;
        for (std::deque<Item>* queue : {&interactive_, &bulk_}) {
          std::move(queue->begin(), queue->end(), std::back_inserter(dead));
          queue->clear();
        }
      }
    }
    for (Item& item : dead) item.done(stopping ? Stopping() : item.request->Check());
    if (stopping || !batch.empty()) return batch;
  }
}

void Batcher::TakeDead(std::vector<Item>* dead) {
  for (std::deque<Item>* queue : {&interactive_, &bulk_}) {
    auto alive = std::stable_partition(queue->begin(), queue->end(),
                                       [](const Item& item) { return item.request->Check().ok(); });
    std::move(alive, queue->end(), std::back_inserter(*dead));
    queue->erase(alive, queue->end());
  }
}

size_t Batcher::CountBucket(const std::string& bucket) const {
  const auto same = [&](const Item& item) { return item.image.bucket == bucket; };
  return static_cast<size_t>(std::count_if(interactive_.begin(), interactive_.end(), same) +
                             std::count_if(bulk_.begin(), bulk_.end(), same));
}

void Batcher::TakeBucket(const std::string& bucket, std::deque<Item>* queue, std::vector<Item>* batch) {
  std::deque<Item> rest;
  for (Item& item : *queue) {
    const bool taken = batch->size() < static_cast<size_t>(options_.max_batch) && item.image.bucket == bucket;
    if (taken) {
      batch->push_back(std::move(item));
    } else {
      rest.push_back(std::move(item));
    }
  }
  *queue = std::move(rest);
}

void Batcher::RunBatch(std::vector<Item> batch) {
  const base::Clock& clock = batch.front().request->clock();
  std::vector<const model::PreparedImage*> images;
  images.reserve(batch.size());
  for (const Item& item : batch) images.push_back(&item.image);
  const int size = static_cast<int>(batch.size());
  const base::Clock::Ticks begin = clock.Steady();
  absl::StatusOr<std::vector<model::Embedding>> embeddings;
  {
    const RunGate::Pass pass(options_.gate);
    embeddings = model_->Embed(images);
  }
  const double milliseconds = base::MillisecondsBetween(begin, clock.Steady());
  if (options_.on_batch) options_.on_batch(size, milliseconds);
  if (embeddings.ok() && embeddings->size() != batch.size()) {
    embeddings = base::Error(absl::StatusCode::kInternal, "MODEL_ANSWER_SHORT",
                             absl::StrCat("the model answered ", embeddings->size(), " of ", batch.size(),
                                          " images. Report this as a fault."));
  }
  for (size_t i = 0; i < batch.size(); ++i) {
    Item& item = batch[i];
    item.request->AddStage("queue", base::MillisecondsBetween(item.arrival, begin));
    item.request->AddStage("embed", milliseconds, size);
    if (embeddings.ok()) {
      item.done(std::move((*embeddings)[i]));
    } else {
      item.done(embeddings.status());
    }
  }
}

}  // namespace sightline::server
