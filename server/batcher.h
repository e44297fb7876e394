// Batcher: puts single images together into batches for one model.
//
// One thread runs the model. When it comes back from a batch and more images wait, it closes the next batch at
// `max_batch` or when the oldest of them has waited `max_delay`; when it was idle, it takes what arrives at once.
// Interactive work goes before bulk work, but bulk work gets every eighth batch, so it is slowed down and never
// stopped. Images of different sizes (buckets) never share a batch. Work that has expired or was cancelled leaves the
// queue before it reaches the model.
//
// Threading: Submit and the gauges from any thread. Ownership: the batcher keeps the model alive and owns its thread;
// the destructor answers what waits with UNAVAILABLE and joins. Failure: Submit answers RESOURCE_EXHAUSTED at once when
// the queue is full; `done` is called exactly once in any case, on the batcher's thread or, for a refusal, on the
// caller's.
#ifndef SIGHTLINE_SERVER_BATCHER_H_
#define SIGHTLINE_SERVER_BATCHER_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "model/model.h"
#include "server/request.h"
#include "server/run_gate.h"

namespace sightline::server {

enum class Priority { kInteractive, kBulk };

class Batcher {
 public:
  struct Options {
    int max_batch = 8;
    absl::Duration max_delay = absl::Milliseconds(2);
    size_t max_queue = 256;
    // Called on the batcher's thread after each batch, for metrics.
    std::function<void(int batch_size, double milliseconds)> on_batch;
    RunGate* gate = nullptr;  // passed for each batch; must outlive the batcher
  };
  using Done = std::function<void(absl::StatusOr<model::Embedding>)>;

  Batcher(std::shared_ptr<model::Model> model, Options options);
  ~Batcher();
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  void Submit(RequestPtr request, model::PreparedImage image, Priority priority, Done done);

  // Answers what waits, and all that comes, with UNAVAILABLE. A batch under way ends well.
  void Stop();

  const model::Model& model() const { return *model_; }
  size_t queue_depth() const;

 private:
  struct Item {
    RequestPtr request;
    model::PreparedImage image;
    Done done;
    base::Clock::Ticks arrival;
  };

  void Run();
  // Waits for work and takes the next batch; empty when the batcher is stopping. `was_busy`: the model has just come
  // back from a batch.
  std::vector<Item> NextBatch(bool was_busy) ABSL_LOCKS_EXCLUDED(mutex_);
  void TakeDead(std::vector<Item>* dead) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeBucket(const std::string& bucket, std::deque<Item>* queue, std::vector<Item>* batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  size_t CountBucket(const std::string& bucket) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunBatch(std::vector<Item> batch);

  const std::shared_ptr<model::Model> model_;
  const Options options_;
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  std::deque<Item> interactive_ ABSL_GUARDED_BY(mutex_);
  std::deque<Item> bulk_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int batches_since_bulk_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_BATCHER_H_
