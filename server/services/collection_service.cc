#include "server/services/collection_service.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/convert.h"
#include "server/page_token.h"
#include "server/services/collection_settings.h"
#include "server/services/confidence.h"
#include "server/services/duplicates.h"
#include "server/services/field_checks.h"
#include "server/services/optimize.h"
#include "server/services/reembed.h"

namespace sightline::server {
namespace {

constexpr size_t kMaxSpaceBytes = 128;

}  // namespace

absl::StatusOr<index::CollectionConfig> CollectionService::Configure(const v1::CreateCollectionRequest& message) const {
  SIGHTLINE_ASSIGN_OR_RETURN(index::CollectionConfig config, FromProto(message.settings()));
  config.name = message.name();
  SIGHTLINE_RETURN_IF_ERROR(index::ValidateCollectionName(config.name));
  if (!message.model().empty() && (!message.embedding_space().empty() || message.descriptor_dim() != 0)) {
    return base::InvalidArgument(
        "MODEL_AND_SPACE",
        "both a model and an embedding space or dimension are set; the model decides both. Set "
        "one or the other.",
        {{"field", "model"}});
  }
  if (message.embedding_space().empty() && message.descriptor_dim() != 0) {
    return base::InvalidArgument(
        "EMBEDDING_SPACE_MISSING",
        "`descriptor_dim` is set, `embedding_space` is not. Name the space of the descriptors, "
        "or leave both out to use a model.",
        {{"field", "embedding_space"}});
  }
  if (message.embedding_space().empty()) {
    SIGHTLINE_ASSIGN_OR_RETURN(const ModelPtr model, context_.models.Find(message.model()));
    const model::ModelInfo& info = model->info();
    config.model = info.name;
    config.embedding_space = info.embedding_space;
    config.token_space = config.drop_tokens ? "" : info.token_space;
    config.descriptor_dim = info.descriptor_dim;
    return config;
  }
  if (message.embedding_space().size() > kMaxSpaceBytes) {
    return base::InvalidArgument("EMBEDDING_SPACE_TOO_LONG",
                                 absl::StrCat("embedding_space has ", message.embedding_space().size(),
                                              " bytes; the limit is ", kMaxSpaceBytes, ". Choose a shorter name."),
                                 {{"field", "embedding_space"},
                                  {"actual", absl::StrCat(message.embedding_space().size())},
                                  {"limit", absl::StrCat(kMaxSpaceBytes)}});
  }
  const int limit = context_.limits.record.max_descriptor_dim;
  if (message.descriptor_dim() < 1 || message.descriptor_dim() > limit) {
    return base::InvalidArgument(
        "DESCRIPTOR_DIM_OUT_OF_RANGE",
        absl::StrCat("descriptor_dim is ", message.descriptor_dim(), "; it must be 1 to ", limit, ". Correct it."),
        {{"field", "descriptor_dim"},
         {"actual", absl::StrCat(message.descriptor_dim())},
         {"limit", absl::StrCat(limit)}});
  }
  config.embedding_space = message.embedding_space();
  // Tokens computed elsewhere go with descriptors computed elsewhere, under the same name.
  config.token_space = config.drop_tokens ? "" : message.embedding_space();
  config.descriptor_dim = message.descriptor_dim();
  return config;
}

absl::StatusOr<std::string> CollectionService::TokenSpaceOf(const index::CollectionConfig& config) const {
  if (config.model.empty()) return config.embedding_space;
  SIGHTLINE_ASSIGN_OR_RETURN(const ModelPtr model, FindCollectionModel(context_, config));
  return model->info().token_space;
}

void CollectionService::Show(const RequestPtr& request, const index::Collection& collection,
                             v1::Collection* out) const {
  ToProto(collection, out);
  for (const std::string& alias : context_.database.AliasesOf(collection.config().name)) {
    if (request->call().Covers(alias)) out->add_aliases(alias);
  }
  const auto other = context_.database.FindOtherSpace(collection.config().name);
  if (other) ToProto(*other, out->mutable_other_space());
}

void CollectionService::Create(const RequestPtr& request, const v1::CreateCollectionRequest& message,
                               v1::CreateCollectionResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, &message, reply]() -> absl::Status {
        SIGHTLINE_ASSIGN_OR_RETURN(const index::CollectionConfig config, Configure(message));
        SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, context_.database.Create(config));
        ToProto(*collection, reply->mutable_collection());
        return absl::OkStatus();
      },
      std::move(done));
}

void CollectionService::Get(const RequestPtr& request, const v1::GetCollectionRequest& message,
                            v1::GetCollectionResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, request, &message, reply]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("name", message.name(), "Name the collection."));
        SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, context_.database.Find(message.name()));
        Show(request, *collection, reply->mutable_collection());
        return absl::OkStatus();
      },
      std::move(done));
}

void CollectionService::List(const RequestPtr& request, const v1::ListCollectionsRequest& message,
                             v1::ListCollectionsResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, request, &message, reply]() -> absl::Status {
        SIGHTLINE_ASSIGN_OR_RETURN(const int page_size, PageSize(message.page_size(), context_.limits.max_page_size));
        SIGHTLINE_ASSIGN_OR_RETURN(const std::string after, ReadTokenAfter(message.page_token()));
        if (!message.page_token().empty() && !index::ValidateCollectionName(after).ok()) return InvalidPageToken();
        for (const auto& collection : context_.database.List()) {
          if (!after.empty() && collection->config().name <= after) continue;
          if (!CoversCollection(context_.database, request->call(), collection->config().name)) continue;
          if (reply->collections_size() == page_size) {
            reply->set_next_page_token(TokenAfter(reply->collections(page_size - 1).name()));
            break;
          }
          Show(request, *collection, reply->add_collections());
        }
        return absl::OkStatus();
      },
      std::move(done));
}

void CollectionService::Update(const RequestPtr& request, const v1::UpdateCollectionRequest& message,
                               v1::UpdateCollectionResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, request, &message, reply]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("name", message.name(), "Name the collection to change."));
        SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, context_.database.Find(message.name()));
        const index::CollectionConfig config = collection->config();
        SIGHTLINE_ASSIGN_OR_RETURN(index::SettingsChange change, ReadSettingsChange(message, config));
        if (change.drop_tokens == false && config.token_space.empty()) {
          SIGHTLINE_ASSIGN_OR_RETURN(change.token_space, TokenSpaceOf(config));
        }
        SIGHTLINE_RETURN_IF_ERROR(collection->ChangeSettings(change));
        Show(request, *collection, reply->mutable_collection());
        return absl::OkStatus();
      },
      std::move(done));
}

void CollectionService::Delete(const RequestPtr& request, const v1::DeleteCollectionRequest& message,
                               v1::DeleteCollectionResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, request, &message, reply]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("name", message.name(), "Name the collection to delete."));
        SIGHTLINE_ASSIGN_OR_RETURN(const int64_t deleted, context_.database.Delete(message.name()));
        reply->set_deleted_images(deleted);
        request->SetItems(deleted);
        return absl::OkStatus();
      },
      std::move(done));
}

void CollectionService::Optimize(const RequestPtr& request, const v1::OptimizeCollectionRequest& message,
                                 v1::OptimizeCollectionResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, &message, reply]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("name", message.name(), "Name the collection to optimise."));
        SIGHTLINE_RETURN_IF_ERROR(ReadOptimizeOptions(message).status());
        SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, context_.database.Find(message.name()));
        SIGHTLINE_ASSIGN_OR_RETURN(*reply->mutable_operation(), context_.operations.StartRepeatable(
                                                                    kOptimizeKind, collection->config().name, message));
        return absl::OkStatus();
      },
      std::move(done));
}

void CollectionService::Reembed(const RequestPtr& request, const v1::ReembedCollectionRequest& message,
                                v1::ReembedCollectionResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, &message, reply]() -> absl::Status {
        SIGHTLINE_ASSIGN_OR_RETURN(const v1::ReembedCollectionRequest resolved,
                                   ResolveReembed(context_.database, context_.models, message));
        SIGHTLINE_ASSIGN_OR_RETURN(*reply->mutable_operation(),
                                   context_.operations.StartRepeatable(kReembedKind, resolved.name(), resolved));
        return absl::OkStatus();
      },
      std::move(done));
}

void CollectionService::FindDuplicates(const RequestPtr& request, const v1::FindDuplicatesRequest& message,
                                       v1::FindDuplicatesResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, &message, reply]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("collection", message.collection(), "Name the collection to look through."));
        SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, context_.database.Find(message.collection()));
        SIGHTLINE_RETURN_IF_ERROR(CheckFindDuplicates(message, *collection));
        // Refuses a filter that cannot be read.
        SIGHTLINE_RETURN_IF_ERROR(collection->List(1, "", index::RecordView::kMetadata, message.filter()).status());
        SIGHTLINE_ASSIGN_OR_RETURN(
            *reply->mutable_operation(),
            context_.operations.StartRepeatable(kFindDuplicatesKind, collection->config().name, message));
        return absl::OkStatus();
      },
      std::move(done));
}

void CollectionService::FitConfidence(const RequestPtr& request, const v1::FitConfidenceRequest& message,
                                      v1::FitConfidenceResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, &message, reply]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("collection", message.collection(), "Name the collection to fit."));
        SIGHTLINE_RETURN_IF_ERROR(CheckFitConfidence(message, context_.limits));
        SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, context_.database.Find(message.collection()));
        const std::string name = collection->config().name;
        // Not repeatable: the pairs may be many megabytes, and are the caller's to keep.
        SIGHTLINE_ASSIGN_OR_RETURN(
            *reply->mutable_operation(),
            context_.operations.Start(kFitConfidenceKind, name,
                                      FitConfidenceWork(context_.database, context_.models, name, message)));
        return absl::OkStatus();
      },
      std::move(done));
}

void CollectionService::DropOther(const RequestPtr& request, const v1::DropOtherSpaceRequest& message,
                                  v1::DropOtherSpaceResponse* /*reply*/, Done done) {
  RunOnWorkers(
      context_, request,
      [this, &message]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("name", message.name(), "Name the collection whose other space is to go."));
        SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, context_.database.Find(message.name()));
        return context_.database.DropOtherSpace(collection->config().name);
      },
      std::move(done));
}

void CollectionService::SetAlias(const RequestPtr& request, const v1::SetAliasRequest& message,
                                 v1::SetAliasResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, request, &message, reply]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("alias", message.alias(), "Say which name is to stand for the collection."));
        SIGHTLINE_RETURN_IF_ERROR(Required("collection", message.collection(), "Name the collection."));
        // The call is let in by the collection; the name it gives away must be the caller's too.
        if (!request->call().Covers(message.alias())) {
          return base::Error(absl::StatusCode::kPermissionDenied, "COLLECTION_NOT_GRANTED",
                             "the key is not for the name given as the alias. Use a name that the key is for, or "
                             "another key.",
                             {{"field", "alias"}, {"actual", message.alias().substr(0, 64)}});
        }
        SIGHTLINE_ASSIGN_OR_RETURN(const auto collection,
                                   context_.database.SetAlias(message.alias(), message.collection()));
        Show(request, *collection, reply->mutable_collection());
        return absl::OkStatus();
      },
      std::move(done));
}

void CollectionService::DeleteAlias(const RequestPtr& request, const v1::DeleteAliasRequest& message,
                                    v1::DeleteAliasResponse* /*reply*/, Done done) {
  RunOnWorkers(
      context_, request,
      [this, &message]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("alias", message.alias(), "Say which alias is to go."));
        return context_.database.DeleteAlias(message.alias());
      },
      std::move(done));
}

void CollectionService::ListValues(const RequestPtr& request, const v1::ListAttributeValuesRequest& message,
                                   v1::ListAttributeValuesResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, &message, reply]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("collection", message.collection(), "Name the collection."));
        SIGHTLINE_RETURN_IF_ERROR(Required("key", message.key(), "Name the attribute."));
        SIGHTLINE_RETURN_IF_ERROR(CheckAttributeKey("key", message.key(), context_.limits.record));
        SIGHTLINE_ASSIGN_OR_RETURN(const int page_size, PageSize(message.page_size(), context_.limits.max_page_size));
        SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, context_.database.Find(message.collection()));
        SIGHTLINE_ASSIGN_OR_RETURN(
            index::AttributeCountPage page,
            collection->CountValues(message.key(), message.filter(), page_size, message.page_token()));
        for (const index::AttributeCount& count : page.counts) {
          auto* value = reply->add_values();
          ToProto(count.value, value->mutable_value());
          value->set_count(count.images);
        }
        reply->set_next_page_token(std::move(page.next_page_token));
        return absl::OkStatus();
      },
      std::move(done));
}

}  // namespace sightline::server
