#include "server/services/model_service.h"

#include <memory>
#include <utility>

#include "base/status.h"
#include "server/convert.h"
#include "server/services/field_checks.h"

namespace sightline::server {

void ModelService::List(const RequestPtr& request, const v1::ListModelsRequest& /*message*/,
                        v1::ListModelsResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, reply]() -> absl::Status {
        for (const ModelHub::Known& known : context_.models.ListKnown()) ToProto(known, reply->add_models());
        return absl::OkStatus();
      },
      std::move(done));
}

void ModelService::Get(const RequestPtr& request, const v1::GetModelRequest& message, v1::GetModelResponse* reply,
                       Done done) {
  RunOnWorkers(
      context_, request,
      [this, &message, reply]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("name", message.name(), "Name the model."));
        SIGHTLINE_ASSIGN_OR_RETURN(const ModelHub::Known known, context_.models.FindKnown(message.name()));
        ToProto(known, reply->mutable_model());
        return absl::OkStatus();
      },
      std::move(done));
}

void ModelService::RunOnLoader(const RequestPtr& request, std::function<absl::Status()> work, Done done) {
  const auto shared_done = std::make_shared<Done>(std::move(done));
  const bool accepted = context_.loader.TrySubmit([request, work = std::move(work), shared_done] {
    absl::Status status = request->Check();
    if (status.ok()) status = work();
    (*shared_done)(std::move(status));
  });
  if (accepted) return;
  (*shared_done)(base::RetryableError(absl::StatusCode::kResourceExhausted, "LOADS_QUEUE_FULL",
                                      "as many models wait to be loaded or unloaded as may. Try again after the delay "
                                      "given.",
                                      absl::Seconds(5)));
}

void ModelService::Load(const RequestPtr& request, const v1::LoadModelRequest& message, v1::LoadModelResponse* reply,
                        Done done) {
  if (absl::Status status = Required("name", message.name(), "Name a folder of the model root."); !status.ok()) {
    return done(std::move(status));
  }
  RunOnLoader(
      request,
      [this, &message, reply]() -> absl::Status {
        SIGHTLINE_ASSIGN_OR_RETURN(const ModelPtr model, context_.models.Load(message.name()));
        ToProto(*model, reply->mutable_model());
        return absl::OkStatus();
      },
      std::move(done));
}

void ModelService::Unload(const RequestPtr& request, const v1::UnloadModelRequest& message,
                          v1::UnloadModelResponse* reply, Done done) {
  if (absl::Status status = Required("name", message.name(), "Name the model to unload."); !status.ok()) {
    return done(std::move(status));
  }
  RunOnLoader(
      request,
      [this, &message, reply]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(context_.models.Unload(message.name()));
        for (const auto& collection : context_.database.List()) {
          if (collection->config().model == message.name()) reply->add_collections(collection->config().name);
        }
        return absl::OkStatus();
      },
      std::move(done));
}

}  // namespace sightline::server
