#include "server/services/index_service.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/sha256.h"
#include "base/status.h"
#include "index/validate.h"
#include "server/convert.h"
#include "server/services/field_checks.h"
#include "server/services/search_request.h"

namespace sightline::server {
namespace {

absl::StatusOr<index::RecordView> RecordViewOf(v1::ImageView view, const index::CollectionConfig& config) {
  const auto not_kept = [&](absl::string_view what, absl::string_view setting) {
    return base::FailedPrecondition(
        "IMAGE_NOT_KEPT",
        absl::StrCat("the collection '", config.name, "' keeps no ", what,
                     ". Ask for another view, or index into a collection created with keep_image ", setting, "."),
        {{"collection", config.name}});
  };
  switch (view) {
    case v1::IMAGE_VIEW_UNSPECIFIED:
    case v1::IMAGE_VIEW_METADATA: return index::RecordView::kMetadata;
    case v1::IMAGE_VIEW_PREVIEW:
      if (!MayHold(config, index::KeepImage::kPreview)) return not_kept("previews", "KEEP_IMAGE_PREVIEW");
      return index::RecordView::kImage;
    case v1::IMAGE_VIEW_ORIGINAL:
      if (!MayHold(config, index::KeepImage::kOriginal)) return not_kept("originals", "KEEP_IMAGE_ORIGINAL");
      return index::RecordView::kImage;
    case v1::IMAGE_VIEW_VECTORS: return index::RecordView::kVectors;
    default:
      return base::InvalidArgument(
          "ENUM_VALUE_UNKNOWN",
          absl::StrCat("view is ", static_cast<int>(view),
                       ", which this version does not know. Use a value of the published API."),
          {{"field", "view"}, {"actual", absl::StrCat(static_cast<int>(view))}});
  }
}

// A collection that keeps something else now may hold the other image of a record.
void KeepViewed(v1::ImageView view, index::Record* record) {
  const index::KeepImage wanted =
      view == v1::IMAGE_VIEW_ORIGINAL ? index::KeepImage::kOriginal : index::KeepImage::kPreview;
  if (!record->image_kind || record->image_kind == wanted) return;
  record->image.clear();
  record->image_mime_type.clear();
}

// What `scan` returns; where it was ended early, why the request has ended.
template <typename Scan>
auto WhileWanted(const Request& request, Scan scan) {
  auto result = scan([&request] { return !request.Check().ok(); });
  if (absl::IsCancelled(result.status())) {
    if (absl::Status ended = request.Check(); !ended.ok()) result = std::move(ended);
  }
  return result;
}

// One write under way.
class IndexCall : public std::enable_shared_from_this<IndexCall> {
 public:
  IndexCall(const ServiceContext& context, RequestPtr request, const v1::IndexRequest& message,
            v1::IndexResponse* reply, Priority priority, IndexService::Done done)
      : context_(context),
        request_(std::move(request)),
        message_(message),
        reply_(*reply),
        priority_(priority),
        done_(std::move(done)) {}

  void Start() {
    absl::Status status = Prepare();
    if (!status.ok()) return done_(std::move(status));
    if (!resend_) return Continue();
    RunOnWorkers(
        context_, request_, [self = shared_from_this()] { return self->TakeStored(); },
        [self = shared_from_this()](absl::Status read) {
          if (!read.ok()) return self->done_(std::move(read));
          self->Continue();
        });
  }

 private:
  void Continue() {
    if (message_.item().source_case() == v1::ImageItem::kGlobalDescriptor) return Store();
    EmbedJob job;
    job.request = request_;
    job.model = model_;
    job.image = message_.item().image();
    if (crop_) job.crops.push_back(*crop_);
    job.priority = priority_;
    job.want_preview = target_->config().keep_image == index::KeepImage::kPreview;
    context_.embedder.Embed(std::move(job), [self = shared_from_this()](absl::StatusOr<EmbedResult> result) {
      if (!result.ok()) return self->done_(result.status());
      self->TakeEmbedding(*std::move(result));
      self->Store();
    });
  }

  // Where the record goes: into the collection, or into the space that it is being moved to.
  absl::Status FindTarget() {
    SIGHTLINE_RETURN_IF_ERROR(Required("collection", message_.collection(), "Name the collection to write to."));
    SIGHTLINE_ASSIGN_OR_RETURN(collection_, context_.database.Find(message_.collection()));
    target_ = collection_;
    if (message_.model().empty() || message_.model() == collection_->config().model) return absl::OkStatus();
    SIGHTLINE_RETURN_IF_ERROR(Required("item.id", message_.item().id(), "Name the stored image that is sent again."));
    SIGHTLINE_ASSIGN_OR_RETURN(target_, context_.database.FindFillingSpace(collection_->config().name));
    if (target_->config().model != message_.model()) {
      return base::FailedPrecondition(
          "MODEL_MISMATCH",
          absl::StrCat("the collection '", collection_->config().name, "' is being embedded again with the model '",
                       target_->config().model, "', not with the one named. Leave `model` out, or name that one."),
          {{"field", "model"}, {"actual", message_.model().substr(0, 128)}, {"limit", target_->config().model}});
    }
    resend_ = true;
    return absl::OkStatus();
  }

  // What is stored of an image that is sent again stays as it is.
  absl::Status TakeStored() {
    index::Record& record = write_.record;
    SIGHTLINE_ASSIGN_OR_RETURN(index::Record stored, collection_->Get(record.id, index::RecordView::kMetadata));
    if (message_.item().source_case() == v1::ImageItem::kImage) {
      const std::string sha256 = base::Sha256Hex(message_.item().image());
      if (!stored.sha256.empty() && stored.sha256 != sha256) {
        return base::InvalidArgument(
            "IMAGE_DIFFERS",
            absl::StrCat("the image is not the one that is stored under '", record.id,
                         "': its SHA-256 is another. Send that image, or index this one without `model`."),
            {{"field", "item.image"}, {"actual", sha256}, {"limit", stored.sha256}});
      }
    }
    stored.descriptor = std::move(record.descriptor);
    stored.tokens = std::move(record.tokens);
    record = std::move(stored);
    if (record.crop) {
      crop_ = image::CropBox{
          .x0 = record.crop->x0,
          .y0 = record.crop->y0,
          .x1 = record.crop->x1,
          .y1 = record.crop->y1,
          .unit = record.crop->in_pixels ? image::CropBox::Unit::kPixel : image::CropBox::Unit::kFraction};
    }
    write_.copy = true;
    write_.request_id.clear();
    return absl::OkStatus();
  }

  absl::Status Prepare() {
    SIGHTLINE_RETURN_IF_ERROR(FindTarget());
    const v1::ImageItem& item = message_.item();
    index::Record& record = write_.record;
    record.id = item.id();
    record.source_uri = item.source_uri();
    SIGHTLINE_ASSIGN_OR_RETURN(record.attributes, FromProto(item.attributes()));
    write_.request_id = message_.request_id();
    switch (item.source_case()) {
      case v1::ImageItem::SOURCE_NOT_SET: return Required("item.source", "", "Set an image or a descriptor.");
      case v1::ImageItem::kGlobalDescriptor: SIGHTLINE_RETURN_IF_ERROR(PrepareDescriptor(item)); break;
      case v1::ImageItem::kImage: SIGHTLINE_RETURN_IF_ERROR(PrepareImage(item)); break;
    }
    SIGHTLINE_RETURN_IF_ERROR(index::ValidateRequestId(message_.request_id(), context_.limits.record));
    // Refused here, before the model has worked for it.
    return index::ValidateRecord(record, context_.limits.record, /*allow_empty_id=*/true);
  }

  absl::Status PrepareDescriptor(const v1::ImageItem& item) {
    const index::CollectionConfig config = target_->config();
    if (item.has_crop()) {
      return base::InvalidArgument("CROP_WITHOUT_IMAGE",
                                   "the item has a crop box but no image. Send the image itself, or leave the box out.",
                                   {{"field", "item.crop"}});
    }
    SIGHTLINE_RETURN_IF_ERROR(ValidateVector(item.global_descriptor(), config));
    write_.record.descriptor.assign(item.global_descriptor().values().begin(), item.global_descriptor().values().end());
    if (!item.has_tokens()) return absl::OkStatus();
    if (item.tokens().token_space() != config.token_space || config.token_space.empty()) {
      return base::FailedPrecondition(
          "TOKEN_SPACE_MISMATCH",
          absl::StrCat("the patch tokens belong to token space '", item.tokens().token_space(), "', the collection '",
                       config.name, "' ",
                       config.token_space.empty() ? "keeps none" : absl::StrCat("to '", config.token_space, "'"),
                       ". Leave the tokens out, or make them with the collection's model."),
          {{"actual", item.tokens().token_space()}, {"limit", config.token_space}});
    }
    SIGHTLINE_ASSIGN_OR_RETURN(index::PatchTokens tokens, FromProto(item.tokens()));
    if (!config.drop_tokens) write_.record.tokens = std::move(tokens);
    return absl::OkStatus();
  }

  absl::Status PrepareImage(const v1::ImageItem& item) {
    const index::CollectionConfig config = target_->config();
    if (item.has_tokens()) {
      return base::InvalidArgument(
          "TOKENS_WITH_IMAGE",
          "the item has both an image and patch tokens; the model makes the tokens. Leave them "
          "out, or send a descriptor instead of the image.",
          {{"field", "item.tokens"}});
    }
    SIGHTLINE_ASSIGN_OR_RETURN(model_, FindCollectionModel(context_, config));
    ToProto(model_->info(), reply_.mutable_model());
    if (item.has_crop() && !resend_) {
      crop_ = FromProto(item.crop());
      write_.record.crop = FromCrop(*crop_);
    }
    return absl::OkStatus();
  }

  void TakeEmbedding(EmbedResult result) {
    const index::CollectionConfig config = target_->config();
    index::Record& record = write_.record;
    record.descriptor = std::move(result.embeddings.front().descriptor);
    if (!config.drop_tokens && model_->info().token_space == config.token_space) {
      record.tokens = FromModel(std::move(result.embeddings.front().tokens));
    }
    record.width = result.width;
    record.height = result.height;
    record.sha256 = base::Sha256Hex(message_.item().image());
    if (config.keep_image == index::KeepImage::kOriginal) {
      record.image = message_.item().image();
      record.image_kind = index::KeepImage::kOriginal;
      record.image_mime_type = std::move(result.mime_type);
    } else if (config.keep_image == index::KeepImage::kPreview) {
      record.image = std::move(result.preview);
      record.image_kind = index::KeepImage::kPreview;
      record.image_mime_type = "image/jpeg";
    }
  }

  void Store() {
    if (absl::Status status = request_->Check(); !status.ok()) return done_(std::move(status));
    const base::Clock::Ticks begin = request_->clock().Steady();
    target_->PutAsync(std::move(write_), [self = shared_from_this(), begin](absl::StatusOr<index::WriteResult> result) {
      self->request_->AddStage("store", base::MillisecondsBetween(begin, self->request_->clock().Steady()));
      if (!result.ok()) {
        if (absl::IsResourceExhausted(result.status())) {
          const bool budget = base::GetErrorInfo(result.status()).reason == "MEMORY_BUDGET";
          self->context_.metrics.CountRejected(budget ? "memory_budget" : "write_queue");
        }
        return self->done_(result.status());
      }
      if (self->resend_ && result->replayed) {
        return self->done_(
            base::RetryableError(absl::StatusCode::kUnavailable, "IMAGE_CHANGED",
                                 "the stored image was written again while this was under way. Send that one again.",
                                 absl::Milliseconds(100)));
      }
      self->reply_.set_id(result->id);
      self->reply_.set_revision(result->revision);
      self->reply_.set_replayed(result->replayed);
      if (!result->replayed) self->context_.metrics.CountIndexedImages(1);
      self->request_->SetItems(result->replayed ? 0 : 1);
      StagesToProto(*self->request_, self->reply_.mutable_stages());
      self->done_(absl::OkStatus());
    });
  }

  const ServiceContext& context_;
  const RequestPtr request_;
  const v1::IndexRequest& message_;
  v1::IndexResponse& reply_;
  const Priority priority_;
  const IndexService::Done done_;
  std::shared_ptr<index::Collection> collection_;
  std::shared_ptr<index::Collection> target_;  // the same, or the space that is being filled
  ModelPtr model_;
  std::optional<image::CropBox> crop_;
  bool resend_ = false;  // into that space
  index::Write write_;
};

}  // namespace

void IndexService::Index(const RequestPtr& request, const v1::IndexRequest& message, v1::IndexResponse* reply,
                         Priority priority, Done done) {
  std::make_shared<IndexCall>(context_, request, message, reply, priority, std::move(done))->Start();
}

void IndexService::GetImage(const RequestPtr& request, const v1::GetImageRequest& message, v1::GetImageResponse* reply,
                            Done done) {
  RunOnWorkers(
      context_, request,
      [this, &message, reply]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("collection", message.collection(), "Name the collection."));
        SIGHTLINE_RETURN_IF_ERROR(Required("id", message.id(), "Name the image."));
        SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, context_.database.Find(message.collection()));
        SIGHTLINE_ASSIGN_OR_RETURN(const index::RecordView view, RecordViewOf(message.view(), collection->config()));
        SIGHTLINE_ASSIGN_OR_RETURN(index::Record record, collection->Get(message.id(), view));
        KeepViewed(message.view(), &record);
        ToProto(record, collection->config(), reply->mutable_image());
        return absl::OkStatus();
      },
      std::move(done));
}

void IndexService::ListImages(const RequestPtr& request, const v1::ListImagesRequest& message,
                              v1::ListImagesResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, request, &message, reply]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("collection", message.collection(), "Name the collection."));
        if (message.view() == v1::IMAGE_VIEW_ORIGINAL) {
          return base::InvalidArgument("VIEW_NOT_LISTED",
                                       "lists return METADATA, PREVIEW or VECTORS. Get originals by GetImage.",
                                       {{"field", "view"}});
        }
        SIGHTLINE_ASSIGN_OR_RETURN(const int page_size, PageSize(message.page_size(), context_.limits.max_page_size));
        SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, context_.database.Find(message.collection()));
        SIGHTLINE_ASSIGN_OR_RETURN(const index::RecordView view, RecordViewOf(message.view(), collection->config()));
        SIGHTLINE_ASSIGN_OR_RETURN(
            index::RecordPage page, WhileWanted(*request, [&](const index::Cancelled& cancelled) {
              return collection->List(page_size, message.page_token(), view, message.filter(), cancelled);
            }));
        const index::CollectionConfig config = collection->config();
        for (index::Record& record : page.records) {
          KeepViewed(message.view(), &record);
          ToProto(record, config, reply->add_images());
        }
        reply->set_next_page_token(std::move(page.next_page_token));
        return absl::OkStatus();
      },
      std::move(done));
}

void IndexService::DeleteImages(const RequestPtr& request, const v1::DeleteImagesRequest& message,
                                v1::DeleteImagesResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, request, &message, reply]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("collection", message.collection(), "Name the collection."));
        if (!message.filter().empty()) {
          if (!message.ids().empty()) {
            return base::InvalidArgument("IDS_AND_FILTER",
                                         "both `ids` and `filter` are set, which may mean two things. Set one of them.",
                                         {{"field", "filter"}});
          }
          SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, context_.database.Find(message.collection()));
          SIGHTLINE_ASSIGN_OR_RETURN(const index::DeleteResult result,
                                     WhileWanted(*request, [&](const index::Cancelled& cancelled) {
                                       return collection->DeleteMatching(message.filter(), cancelled);
                                     }));
          reply->set_deleted(result.deleted);
          request->SetItems(result.deleted);
          return absl::OkStatus();
        }
        if (message.ids().empty()) return Required("ids", "", "Name at least one image to delete, or set `filter`.");
        if (message.ids_size() > context_.limits.max_delete_ids) {
          return base::InvalidArgument("TOO_MANY_IDS",
                                       absl::StrCat("the request names ", message.ids_size(), " ids; the limit is ",
                                                    context_.limits.max_delete_ids, ". Send them in several requests."),
                                       {{"field", "ids"},
                                        {"actual", absl::StrCat(message.ids_size())},
                                        {"limit", absl::StrCat(context_.limits.max_delete_ids)}});
        }
        SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, context_.database.Find(message.collection()));
        const std::vector<std::string> ids(message.ids().begin(), message.ids().end());
        SIGHTLINE_ASSIGN_OR_RETURN(const index::DeleteResult result, collection->Delete(ids));
        reply->set_deleted(result.deleted);
        reply->set_not_found(result.not_found);
        request->SetItems(result.deleted);
        return absl::OkStatus();
      },
      std::move(done));
}

void IndexService::UpdateAttributes(const RequestPtr& request, const v1::UpdateAttributesRequest& message,
                                    v1::UpdateAttributesResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, request, &message, reply]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("collection", message.collection(), "Name the collection."));
        SIGHTLINE_RETURN_IF_ERROR(Required("id", message.id(), "Name the image."));
        index::AttributeChange change;
        SIGHTLINE_ASSIGN_OR_RETURN(change.set, FromProto(message.set()));
        change.remove.assign(message.remove().begin(), message.remove().end());
        change.replace = message.replace();
        if (change.set.empty() && change.remove.empty() && !change.replace) {
          return Required("set", "", "Set or remove at least one attribute.");
        }
        SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, context_.database.Find(message.collection()));
        SIGHTLINE_ASSIGN_OR_RETURN(const index::Record record, collection->UpdateAttributes(message.id(), change));
        ToProto(record, collection->config(), reply->mutable_image());
        request->SetItems(1);
        return absl::OkStatus();
      },
      std::move(done));
}

}  // namespace sightline::server
