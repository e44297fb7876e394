#include "server/services/reembed.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/convert.h"
#include "server/services/field_checks.h"
#include "server/services/reembedding.h"

namespace sightline::server {
namespace {

constexpr int kMaxKeepHours = 8'760;  // a year

absl::StatusOr<std::string> SpaceToGoBackTo(const index::Database& database, const std::string& name) {
  const auto other = database.FindOtherSpace(name);
  if (other && other->previous) return other->embedding_space;
  return base::FailedPrecondition("NO_PREVIOUS_SPACE",
                                  absl::StrCat("collection ", name, " keeps no space before this one to go back to. ",
                                               other ? "Drop the one that is being filled, to stay with what is served."
                                                     : "Embed it again with the model wanted."),
                                  {{"collection", name}});
}

absl::StatusOr<std::string> SpaceOfModel(const index::Database& database, const ModelHub& models,
                                         const index::CollectionConfig& config,
                                         const v1::ReembedCollectionRequest& message) {
  SIGHTLINE_ASSIGN_OR_RETURN(const ModelPtr model, models.Find(message.model()));
  const std::string space = model->info().embedding_space;
  if (!message.embedding_space().empty() && message.embedding_space() != space) {
    return base::FailedPrecondition(
        "MODEL_CHANGED",
        absl::StrCat("the model '", message.model(), "' embeds into space ", space, ", not ",
                     message.embedding_space().substr(0, 128), ". Load the model meant, or leave embedding_space out."),
        {{"actual", space}, {"limit", message.embedding_space().substr(0, 128)}});
  }
  if (space == config.embedding_space) {
    return base::FailedPrecondition(
        "ALREADY_EMBEDDED",
        absl::StrCat("collection ", config.name, " is in the embedding space of the model '", message.model(),
                     "' already. There is nothing to do."),
        {{"collection", config.name}, {"actual", space}});
  }
  const auto other = database.FindOtherSpace(config.name);
  if (other && other->embedding_space != space) {
    return base::FailedPrecondition(
        "OTHER_SPACE_KEPT",
        absl::StrCat("collection ", config.name, " has another space already, of the model '", other->model,
                     other->previous ? "': the one before, kept for a way back" : "': one that is not filled yet",
                     ". Drop it first, or embed with that model."),
        {{"collection", config.name}, {"actual", other->embedding_space}, {"limit", space}});
  }
  return space;
}

}  // namespace

absl::StatusOr<v1::ReembedCollectionRequest> ResolveReembed(const index::Database& database, const ModelHub& models,
                                                            const v1::ReembedCollectionRequest& message) {
  SIGHTLINE_RETURN_IF_ERROR(Required("name", message.name(), "Name the collection to embed again."));
  SIGHTLINE_RETURN_IF_ERROR(CheckRange("keep_old_hours", message.keep_old_hours(), 0, kMaxKeepHours));
  if (message.rollback() && !message.model().empty()) {
    return base::InvalidArgument("MODEL_AND_ROLLBACK",
                                 "both `model` and `rollback` are set; going back uses the model of the space before. "
                                 "Set one of them.",
                                 {{"field", "model"}});
  }
  if (!message.rollback()) {
    SIGHTLINE_RETURN_IF_ERROR(Required("model", message.model(), "Name the model to embed with, or set `rollback`."));
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, database.Find(message.name()));
  v1::ReembedCollectionRequest resolved = message;
  resolved.set_name(collection->config().name);
  if (message.rollback()) {
    SIGHTLINE_ASSIGN_OR_RETURN(*resolved.mutable_embedding_space(), SpaceToGoBackTo(database, resolved.name()));
  } else {
    SIGHTLINE_ASSIGN_OR_RETURN(*resolved.mutable_embedding_space(),
                               SpaceOfModel(database, models, collection->config(), message));
  }
  return resolved;
}

Operations::MakeWork MakeReembed(index::Database& database, ModelHub& models, Embedder& embedder) {
  return [&database, &models, &embedder](const std::string&, const google::protobuf::Any& request) -> Operations::Work {
    return [&database, &models, &embedder,
            request](const index::Progress& progress) -> absl::StatusOr<google::protobuf::Any> {
      v1::ReembedCollectionRequest message;
      if (!request.UnpackTo(&message)) {
        return base::Error(absl::StatusCode::kInternal, "REQUEST_LOST",
                           "the request of the operation cannot be read any more. Start it again.");
      }
      Reembedding work(database, models, embedder, message, progress);
      SIGHTLINE_ASSIGN_OR_RETURN(const v1::ReembedCollectionResult result, work.Run());
      return Packed(result);
    };
  };
}

}  // namespace sightline::server
