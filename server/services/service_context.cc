#include "server/services/service_context.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::server {

namespace {

absl::Status WorkQueueFull(const ServiceContext& context) {
  context.metrics.CountRejected("search_queue");
  const absl::Duration wait = absl::Ceil(absl::FromChrono(context.workers.ExpectedWait()), absl::Milliseconds(1));
  const absl::Duration limit = context.limits.max_queue_delay;
  return base::RetryableError(
      absl::StatusCode::kResourceExhausted, "WORK_QUEUE_FULL",
      absl::StrCat("the request would wait about ", absl::FormatDuration(wait), " for a thread; the limit is ",
                   absl::FormatDuration(limit),
                   ". Try again after the delay given, or raise --search_threads or --max_queue_delay."),
      std::clamp(wait, absl::Milliseconds(50), absl::Seconds(30)),
      {{"limit", absl::FormatDuration(limit)}, {"actual", absl::FormatDuration(wait)}});
}

}  // namespace

void RunOnWorkers(const ServiceContext& context, const RequestPtr& request, std::function<absl::Status()> work,
                  std::function<void(absl::Status)> done, Spent spent) {
  if (spent == Spent::kNothing) {
    if (absl::Status status = CheckWorkers(context); !status.ok()) return done(std::move(status));
  }
  const auto shared_done = std::make_shared<std::function<void(absl::Status)>>(std::move(done));
  const base::Clock::Ticks begin = request->clock().Steady();
  const bool accepted = context.workers.TrySubmit([request, begin, work = std::move(work), shared_done] {
    request->AddStage("search_queue", base::MillisecondsBetween(begin, request->clock().Steady()));
    absl::Status status = request->Check();
    if (status.ok()) status = work();
    (*shared_done)(std::move(status));
  });
  if (!accepted) (*shared_done)(WorkQueueFull(context));
}

absl::Status CheckWorkers(const ServiceContext& context) {
  if (!context.workers.IsBehind(absl::ToChronoNanoseconds(context.limits.max_queue_delay))) return absl::OkStatus();
  return WorkQueueFull(context);
}

absl::StatusOr<ModelPtr> FindCollectionModel(const ServiceContext& context, const index::CollectionConfig& config) {
  if (config.model.empty()) {
    return base::FailedPrecondition(
        "COLLECTION_HAS_NO_MODEL",
        absl::StrCat("the collection '", config.name,
                     "' takes descriptors only: it names no model. Send a descriptor of the embedding space '",
                     config.embedding_space, "'."),
        {{"collection", config.name}});
  }
  SIGHTLINE_ASSIGN_OR_RETURN(ModelPtr model, context.models.Find(config.model));
  if (model->info().embedding_space != config.embedding_space) {
    return base::FailedPrecondition(
        "MODEL_CHANGED",
        absl::StrCat("the model '", config.model, "' now embeds into space ", model->info().embedding_space,
                     ", but the collection '", config.name, "' was embedded into ", config.embedding_space,
                     ". Load the model the collection was made with, or embed the collection again."),
        {{"actual", model->info().embedding_space}, {"limit", config.embedding_space}});
  }
  return model;
}

bool CoversCollection(const index::Database& database, const CallInfo& call, absl::string_view collection) {
  if (call.Covers(collection)) return true;
  const std::vector<std::string> aliases = database.AliasesOf(std::string(collection));
  return std::any_of(aliases.begin(), aliases.end(), [&](const std::string& alias) { return call.Covers(alias); });
}

std::vector<std::string> WarningsOf(const ServerFacts& facts, const ModelHub& models) {
  std::vector<std::string> warnings = facts.warnings;
  for (const ModelPtr& model : models.List()) {
    for (const ServedModel::DeviceState& one : model->devices()) {
      if (one.status.ok()) continue;
      warnings.push_back(
          absl::StrCat("the model '", model->info().name, "' does not use ", one.device, ": ", one.status.message()));
    }
    if (!model->info().untrained) continue;
    warnings.push_back(absl::StrCat("the model '", model->info().name,
                                    "' is UNTRAINED: it runs from a seeded initialisation, because --allow_untrained "
                                    "is set and it has no weights. Its results show that the service works, not how "
                                    "well it finds; put weights.safetensors beside its model.json."));
  }
  return warnings;
}

}  // namespace sightline::server
