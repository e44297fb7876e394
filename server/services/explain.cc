#include "server/services/explain.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/status.h"
#include "server/convert.h"
#include "server/services/confidence.h"
#include "server/services/evidence.h"
#include "server/services/field_checks.h"
#include "server/services/regions.h"

namespace sightline::server {
namespace {

double Cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return std::clamp(dot / std::sqrt(aa * bb), -1.0, 1.0);
}

// One explanation under way. Images are embedded side by side; the last one to come starts the comparison.
class ExplainCall : public std::enable_shared_from_this<ExplainCall> {
 public:
  ExplainCall(const ServiceContext& context, RequestPtr request, const v1::ExplainRequest& message,
              v1::ExplainResponse* reply, std::function<void(absl::Status)> done)
      : context_(context), request_(std::move(request)), message_(message), reply_(*reply), done_(std::move(done)) {}

  void Start() {
    absl::Status status = Prepare();
    if (!status.ok()) return done_(std::move(status));
    std::vector<Side*> to_embed;
    for (Side& side : sides_) {
      if (side.image->has_image()) to_embed.push_back(&side);
    }
    images_left_ = static_cast<int>(to_embed.size());
    if (to_embed.empty()) return Finish();
    if (status = CheckWorkers(context_); !status.ok()) return done_(std::move(status));
    // Once the last one is on its way, the answer may come and the request be gone.
    for (Side* const side : to_embed) EmbedSide(side);
  }

 private:
  struct Side {
    const char* name;
    const v1::ExplainImage* image;
    std::vector<float> descriptor = {};
    index::PatchTokens tokens = {};
    image::CropBox region = {};
  };

  absl::Status CheckSide(const Side& side) const {
    switch (side.image->source_case()) {
      case v1::ExplainImage::SOURCE_NOT_SET:
        return base::InvalidArgument("EXPLAIN_IMAGE_MISSING",
                                     absl::StrCat("`", side.name, "` has neither an image nor an id. Set one of them."),
                                     {{"field", side.name}});
      case v1::ExplainImage::kImage: return absl::OkStatus();
      case v1::ExplainImage::kId: break;
    }
    if (side.image->has_crop()) {
      return base::InvalidArgument(
          "CROP_WITHOUT_IMAGE",
          absl::StrCat("`", side.name, "` has a crop box but no image. Send the image itself, or leave the box out."),
          {{"field", absl::StrCat(side.name, ".crop")}});
    }
    return Required("collection", message_.collection(), "Name the collection that the id belongs to.");
  }

  absl::Status Prepare() {
    for (const Side& side : sides_) SIGHTLINE_RETURN_IF_ERROR(CheckSide(side));
    SIGHTLINE_RETURN_IF_ERROR(ValidateRerank(message_.rerank(), context_.limits.record));
    SIGHTLINE_RETURN_IF_ERROR(ValidateExplain("options", message_.options()));
    const bool any_image = sides_[0].image->has_image() || sides_[1].image->has_image();
    const bool any_id = sides_[0].image->source_case() == v1::ExplainImage::kId ||
                        sides_[1].image->source_case() == v1::ExplainImage::kId;
    if (message_.collection().empty()) {
      SIGHTLINE_ASSIGN_OR_RETURN(model_, context_.models.Find(""));
    } else {
      SIGHTLINE_ASSIGN_OR_RETURN(collection_, context_.database.Find(message_.collection()));
      const index::CollectionConfig config = collection_->config();
      // Also for two ids: the model knows what of an image its patches cover.
      if (any_image || !config.model.empty()) {
        SIGHTLINE_ASSIGN_OR_RETURN(model_, FindCollectionModel(context_, config));
      }
      if (any_id && any_image && model_->info().token_space != config.token_space) {
        return TokenSpaceMismatch(absl::StrCat("the patch tokens that the model '", config.model, "' makes"),
                                  model_->info().token_space, config);
      }
    }
    if (model_ != nullptr) ToProto(model_->info(), reply_.mutable_model());
    choice_ = ChooseRerank(message_.rerank(), model_ == nullptr ? nullptr : &model_->info());
    return absl::OkStatus();
  }

  void EmbedSide(Side* side) {
    EmbedJob job;
    job.request = request_;
    job.model = model_;
    job.image = side->image->image();
    if (side->image->has_crop()) job.crops.push_back(FromProto(side->image->crop()));
    context_.embedder.Embed(std::move(job), [self = shared_from_this(), side](absl::StatusOr<EmbedResult> result) {
      self->SideEmbedded(side, std::move(result));
    });
  }

  void SideEmbedded(Side* side, absl::StatusOr<EmbedResult> result) {
    absl::Status status;
    {
      base::MutexLock lock(mutex_);
      if (result.ok()) {
        std::optional<image::CropBox> crop;
        if (side->image->has_crop()) crop = FromProto(side->image->crop());
        side->region = SeenRegion(&model_->model(), result->width, result->height, crop);
        side->descriptor = std::move(result->embeddings.front().descriptor);
        side->tokens = FromModel(std::move(result->embeddings.front().tokens));
      } else if (status_.ok()) {
        status_ = result.status();
      }
      if (--images_left_ > 0) return;
      status = status_;
    }
    if (!status.ok()) return done_(std::move(status));
    Finish();
  }

  void Finish() {
    const bool any_image = sides_[0].image->has_image() || sides_[1].image->has_image();
    RunOnWorkers(
        context_, request_, [self = shared_from_this()] { return self->Compare(); }, done_,
        any_image ? Spent::kModelTime : Spent::kNothing);
  }

  absl::Status ReadSide(Side& side) {
    if (side.image->source_case() == v1::ExplainImage::kId) {
      SIGHTLINE_ASSIGN_OR_RETURN(index::Record record, collection_->Get(side.image->id(), index::RecordView::kVectors));
      side.region = SeenRegion(model_ == nullptr ? nullptr : &model_->model(), record);
      side.descriptor = std::move(record.descriptor);
      if (record.tokens) side.tokens = *std::move(record.tokens);
    }
    if (side.tokens.cells() > 0) return absl::OkStatus();
    return base::FailedPrecondition(
        "NO_PATCH_TOKENS",
        absl::StrCat("the image of `", side.name, "` has no patch tokens",
                     collection_ != nullptr && collection_->config().token_space.empty()
                         ? absl::StrCat(", since the collection '", collection_->config().name, "' keeps none")
                         : "",
                     ". Send both images as bytes, or index it in a collection that keeps tokens."),
        {{"field", side.name}});
  }

  absl::Status Compare() {
    for (Side& side : sides_) SIGHTLINE_RETURN_IF_ERROR(ReadSide(side));
    SIGHTLINE_RETURN_IF_ERROR(request_->Check());
    const Side& other = sides_[1];
    std::vector<QueryTokens> query(1);
    query[0].tokens = std::move(sides_[0].tokens);
    query[0].region = sides_[0].region;
    {
      StageTimer timer(*request_, "explain");
      SIGHTLINE_ASSIGN_OR_RETURN(const EvidenceMaker maker, EvidenceMaker::Make(query, choice_, message_.options()));
      SIGHTLINE_RETURN_IF_ERROR(maker.Explain(
          {.tokens = &other.tokens, .region = other.region, .score = Cosine(sides_[0].descriptor, other.descriptor)},
          reply_.mutable_evidence()));
    }
    const auto confidence = collection_ == nullptr ? std::nullopt : collection_->Confidence();
    if (confidence) SetConfidence(*confidence, choice_.transport, reply_.mutable_evidence());
    StagesToProto(*request_, reply_.mutable_stages());
    return absl::OkStatus();
  }

  const ServiceContext& context_;
  const RequestPtr request_;
  const v1::ExplainRequest& message_;
  v1::ExplainResponse& reply_;
  const std::function<void(absl::Status)> done_;
  std::shared_ptr<index::Collection> collection_;
  ModelPtr model_;
  RerankChoice choice_;

  base::Mutex mutex_;  // while images are embedded, guards what follows; before and after, one thread has it alone
  std::array<Side, 2> sides_ = {Side{"query", &message_.query()}, Side{"result", &message_.result()}};
  int images_left_ = 0;
  absl::Status status_;
};

}  // namespace

void ExplainMatch(const ServiceContext& context, const RequestPtr& request, const v1::ExplainRequest& message,
                  v1::ExplainResponse* reply, std::function<void(absl::Status)> done) {
  std::make_shared<ExplainCall>(context, request, message, reply, std::move(done))->Start();
}

}  // namespace sightline::server
