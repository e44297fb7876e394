// What the services work with. Owned by the server; outlives them.
#ifndef SIGHTLINE_SERVER_SERVICES_SERVICE_CONTEXT_H_
#define SIGHTLINE_SERVER_SERVICES_SERVICE_CONTEXT_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/thread_pool.h"
#include "index/database.h"
#include "server/embedder.h"
#include "server/index_card.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/model_hub.h"
#include "server/operations.h"

namespace sightline::server {

// Facts about this server that do not change while it runs.
struct ServerFacts {
  std::string version;
  std::string commit;
  std::string simd_level;
  std::string blas;
  std::string cpu_capability;  // of LibTorch's kernels; empty when there is none
  bool decodes_apart = false;  // images, in processes of their own
  absl::Time start_time;
  std::vector<std::string> warnings;
};

struct ServiceContext {
  index::Database& database;
  ModelHub& models;
  Embedder& embedder;
  Operations& operations;
  base::ThreadPool& workers;  // runs what reads the disk or compares many descriptors
  base::ThreadPool& loader;   // one thread: loads and unloads models
  const Limits& limits;
  Metrics& metrics;
  const ServerFacts& facts;
  IndexCard card = {};
};

// What was done for a request before it comes to the workers.
enum class Spent { kNothing, kModelTime };

// Runs `work` on the worker pool and answers `done` with its status, or answers at once that it would wait too long.
// What has had the model's time is not thrown away for a long queue, only for a full one.
void RunOnWorkers(const ServiceContext& context, const RequestPtr& request, std::function<absl::Status()> work,
                  std::function<void(absl::Status)> done, Spent spent = Spent::kNothing);

// Refuses what comes to the workers later, before anything is spent on it, while their queue is too long.
absl::Status CheckWorkers(const ServiceContext& context);

// The loaded model that embeds images for a collection; refused when the collection takes descriptors only, when its
// model is not loaded, and when the model of that name no longer embeds into the collection's space.
absl::StatusOr<ModelPtr> FindCollectionModel(const ServiceContext& context, const index::CollectionConfig& config);

// Whether the caller may see the collection of this name: by the name itself, or by an alias of it.
bool CoversCollection(const index::Database& database, const CallInfo& call, absl::string_view collection);

// What an operator should know: the facts' own warnings, and one for each model without trained weights and for each
// device that a model should compute on and does not.
std::vector<std::string> WarningsOf(const ServerFacts& facts, const ModelHub& models);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_SERVICE_CONTEXT_H_
