#include "server/services/search_service.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/status.h"
#include "server/convert.h"
#include "server/services/search_request.h"

namespace sightline::server {
namespace {

// A search of fewer multiply-adds than this runs where it arrived: handing it to another thread costs more.
constexpr int64_t kInlineCost = 1 << 20;

// Whether SearchCost tells what the search will cost: a filter has to be read and evaluated first, groups and
// refinements look at more than they return, and the others change how much is compared.
bool IsPlain(const v1::SearchRequest& message) {
  return message.filter().empty() && message.group_by().empty() && !message.exact() && !message.has_ef_search() &&
         !message.has_nprobe() && message.expansion().method() <= v1::QueryExpansion::METHOD_OFF;
}

const char* RefinementName(index::Refinement::Method method) {
  switch (method) {
    case index::Refinement::Method::kOff: return "off";
    case index::Refinement::Method::kAverage: return "average";
    case index::Refinement::Method::kAlphaWeighted: return "alpha_weighted";
    case index::Refinement::Method::kSuperGlobal: return "super_global";
    case index::Refinement::Method::kReciprocal: return "k_reciprocal";
  }
  return "off";
}

}  // namespace

// One search under way. Its parts are embedded side by side; the last one to come starts the search.
class SearchService::SearchCall : public std::enable_shared_from_this<SearchCall> {
 public:
  SearchCall(const ServiceContext& context, RequestPtr request, const v1::SearchRequest& message,
             v1::SearchResponse* reply, Done done)
      : context_(context), request_(std::move(request)), message_(message), reply_(*reply), done_(std::move(done)) {}

  void Start() {
    absl::Status status = Prepare();
    if (!status.ok()) return done_(std::move(status));
    if (parts_to_embed_.empty()) return RunSearch();
    parts_left_ = parts_to_embed_.size();
    for (const int i : parts_to_embed_) EmbedPart(i);
  }

 private:
  absl::Status Prepare() {
    SIGHTLINE_RETURN_IF_ERROR(ValidateSearch(message_, context_.limits));
    reply_.set_request_id(message_.request_id());
    SIGHTLINE_ASSIGN_OR_RETURN(collection_, context_.database.Find(message_.collection()));
    const index::CollectionConfig& config = collection_->config();
    sum_.assign(static_cast<size_t>(config.descriptor_dim), 0.0);
    for (int i = 0; i < message_.query().parts_size(); ++i) {
      const v1::QueryPart& part = message_.query().parts(i);
      switch (part.source_case()) {
        case v1::QueryPart::kImage: parts_to_embed_.push_back(i); break;
        case v1::QueryPart::kId: needs_disk_ = true; break;
        default:
          SIGHTLINE_RETURN_IF_ERROR(ValidateVector(part.global_descriptor(), config));
          AddVector(part.global_descriptor().values(), Weight(part));
      }
    }
    if (!parts_to_embed_.empty()) {
      SIGHTLINE_ASSIGN_OR_RETURN(model_, FindCollectionModel(context_, config));
      ToProto(model_->info(), reply_.mutable_stats()->mutable_model());
    }
    needs_disk_ = needs_disk_ || message_.return_attributes() || message_.return_preview();
    return absl::OkStatus();
  }

  static double Weight(const v1::QueryPart& part) { return part.has_weight() ? part.weight() : 1.0; }

  // sum += weight * values / |values|
  template <typename Values>
  void AddVector(const Values& values, double weight) {
    double norm = 0;
    for (const float value : values) norm += static_cast<double>(value) * value;
    const double scale = weight / std::sqrt(norm);
    for (size_t i = 0; i < sum_.size(); ++i) sum_[i] += scale * values[static_cast<int>(i)];
  }

  void EmbedPart(int i) {
    const v1::QueryPart& part = message_.query().parts(i);
    EmbedJob job;
    job.request = request_;
    job.model = model_;
    job.image = part.image();
    for (const v1::CropBox& crop : part.crops()) job.crops.push_back(FromProto(crop));
    context_.models.Embed(std::move(job), [self = shared_from_this(), i](absl::StatusOr<EmbedResult> result) {
      self->PartEmbedded(i, std::move(result));
    });
  }

  void PartEmbedded(int i, absl::StatusOr<EmbedResult> result) {
    absl::Status status;
    {
      base::MutexLock lock(mutex_);
      if (result.ok()) {
        const double weight = Weight(message_.query().parts(i)) / static_cast<double>(result->embeddings.size());
        for (const model::Embedding& embedding : result->embeddings) AddVector(embedding.descriptor, weight);
      } else if (status_.ok()) {
        status_ = result.status();
      }
      if (--parts_left_ > 0) return;
      status = status_;
    }
    if (!status.ok()) return done_(std::move(status));
    RunSearch();
  }

  void RunSearch() {
    if (parts_to_embed_.empty() && !needs_disk_ && IsPlain(message_) && collection_->SearchCost() <= kInlineCost) {
      return done_(SearchNow());
    }
    RunOnWorkers(
        context_, request_, [self = shared_from_this()] { return self->SearchNow(); }, done_);
  }

  absl::Status SearchNow() {
    for (const v1::QueryPart& part : message_.query().parts()) {
      if (part.source_case() != v1::QueryPart::kId) continue;
      SIGHTLINE_ASSIGN_OR_RETURN(const index::Record record, collection_->Get(part.id(), index::RecordView::kVectors));
      AddVector(record.descriptor, Weight(part));
    }
    double norm = 0;
    for (const double value : sum_) norm += value * value;
    if (norm < 1e-12) {
      return base::InvalidArgument("QUERY_CANCELS_OUT",
                                   "the weighted parts of the query add up to nothing. Change their weights.",
                                   {{"field", "query.parts"}});
    }
    std::vector<float> descriptor(sum_.begin(), sum_.end());
    index::SearchQuery query;
    query.descriptor = descriptor;
    query.top_k = message_.top_k() == 0 ? kDefaultTopK : message_.top_k();
    query.offset = message_.offset();
    if (message_.has_min_score()) query.min_score = message_.min_score();
    query.filter = message_.filter();
    query.group_by = message_.group_by();
    query.group_size = std::max(1, message_.group_size());
    query.exact = message_.exact();
    if (message_.has_ef_search()) query.ef_search = message_.ef_search();
    if (message_.has_nprobe()) query.nprobe = message_.nprobe();
    SIGHTLINE_ASSIGN_OR_RETURN(query.refinement, ReadRefinement(message_.expansion()));
    query.cancelled = [this] { return !request_->Check().ok(); };
    index::SearchOutcome outcome;
    {
      StageTimer timer(*request_, "search");
      SIGHTLINE_ASSIGN_OR_RETURN(outcome, collection_->Search(query));
    }
    context_.metrics.CountSearch(outcome.index, !query.filter.empty(), RefinementName(query.refinement.method));
    SIGHTLINE_RETURN_IF_ERROR(FillResults(outcome));
    v1::SearchStats* stats = reply_.mutable_stats();
    stats->set_embedding_space(collection_->config().embedding_space);
    stats->set_images(outcome.images);
    stats->set_matching(outcome.matching);
    stats->set_compared(outcome.compared);
    stats->set_index(outcome.index);
    stats->set_degraded(!outcome.degraded_reasons.empty());
    stats->mutable_degraded_reasons()->Add(outcome.degraded_reasons.begin(), outcome.degraded_reasons.end());
    StagesToProto(*request_, stats->mutable_stages());
    return absl::OkStatus();
  }

  absl::Status FillResults(const index::SearchOutcome& outcome) {
    const bool fetch = message_.return_attributes() || message_.return_preview();
    const base::Clock::Ticks begin = request_->clock().Steady();
    int rank = message_.offset();
    reply_.mutable_results()->Reserve(static_cast<int>(outcome.hits.size()));
    for (const index::Hit& hit : outcome.hits) {
      v1::SearchResult result;
      result.set_id(hit.id);
      result.set_rank(++rank);
      result.set_rank_before_rerank(hit.rank_before_rerank);
      result.set_score(hit.score);
      if (hit.rerank_score) result.set_rerank_score(*hit.rerank_score);
      if (fetch) {
        const absl::StatusOr<index::Record> record = collection_->Get(
            hit.id, message_.return_preview() ? index::RecordView::kImage : index::RecordView::kMetadata);
        // Deleted since the search found it: the result stays, without what is gone.
        if (!record.ok() && !absl::IsNotFound(record.status())) return record.status();
        if (record.ok() && message_.return_attributes()) {
          ToProto(record->attributes, result.mutable_attributes());
          result.set_source_uri(record->source_uri);
        }
        if (record.ok() && message_.return_preview() &&
            collection_->config().keep_image == index::KeepImage::kPreview) {
          result.set_preview(record->image);
        }
      }
      *reply_.add_results() = std::move(result);
    }
    if (fetch) request_->AddStage("fetch", base::MillisecondsBetween(begin, request_->clock().Steady()));
    return absl::OkStatus();
  }

  const ServiceContext& context_;
  const RequestPtr request_;
  const v1::SearchRequest& message_;
  v1::SearchResponse& reply_;
  const Done done_;
  std::shared_ptr<index::Collection> collection_;
  ModelPtr model_;
  std::vector<int> parts_to_embed_;
  bool needs_disk_ = false;

  base::Mutex mutex_;  // while parts are embedded, guards what follows; before and after, one thread has it alone
  std::vector<double> sum_;
  size_t parts_left_ = 0;
  absl::Status status_;
};

void SearchService::Search(const RequestPtr& request, const v1::SearchRequest& message, v1::SearchResponse* reply,
                           Done done) {
  std::make_shared<SearchCall>(context_, request, message, reply, std::move(done))->Start();
}

void SearchService::Embed(const RequestPtr& request, const v1::EmbedRequest& message, v1::EmbedResponse* reply,
                          Done done) {
  const absl::StatusOr<ModelPtr> model = context_.models.Find(message.model());
  if (!model.ok()) return done(model.status());
  EmbedJob job;
  job.request = request;
  job.model = *model;
  job.image = message.image();
  if (message.has_crop()) job.crops.push_back(FromProto(message.crop()));
  context_.models.Embed(std::move(job), [request, &message, reply, model = *model,
                                         done = std::move(done)](absl::StatusOr<EmbedResult> result) {
    if (!result.ok()) return done(result.status());
    const model::ModelInfo& info = model->info();
    model::Embedding& embedding = result->embeddings.front();
    reply->mutable_global_descriptor()->mutable_values()->Add(embedding.descriptor.begin(), embedding.descriptor.end());
    reply->mutable_global_descriptor()->set_embedding_space(info.embedding_space);
    if (message.return_tokens()) {
      ToProto(FromModel(std::move(embedding.tokens)), info.token_space, reply->mutable_tokens());
    }
    ToProto(info, reply->mutable_model());
    reply->set_width(result->width);
    reply->set_height(result->height);
    StagesToProto(*request, reply->mutable_stages());
    done(absl::OkStatus());
  });
}

}  // namespace sightline::server
