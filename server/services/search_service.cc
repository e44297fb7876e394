#include "server/services/search_service.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/status.h"
#include "server/convert.h"
#include "server/services/confidence.h"
#include "server/services/explain.h"
#include "server/services/explain_results.h"
#include "server/services/query_parts.h"
#include "server/services/rerank.h"
#include "server/services/rerank_choice.h"
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
    // Before the model works for it.
    if (status = CheckWorkers(context_); !status.ok()) return done_(std::move(status));
    parts_left_ = parts_to_embed_.size();
    for (const int i : parts_to_embed_) EmbedPart(i);
  }

 private:
  absl::Status Prepare() {
    SIGHTLINE_RETURN_IF_ERROR(ValidateSearch(message_, context_.limits));
    reply_.set_request_id(message_.request_id());
    SIGHTLINE_ASSIGN_OR_RETURN(collection_, context_.database.Find(message_.collection()));
    const index::CollectionConfig config = collection_->config();
    SIGHTLINE_RETURN_IF_ERROR(PrepareRerank(config));
    confidence_ = collection_->Confidence();
    if (message_.has_min_confidence() && !confidence_) return ConfidenceNotFitted(config.name);
    parts_.emplace(message_.query(), config);
    bool may_have_tokens = false;
    for (int i = 0; i < message_.query().parts_size(); ++i) {
      switch (message_.query().parts(i).source_case()) {
        case v1::QueryPart::kImage: parts_to_embed_.push_back(i); break;
        case v1::QueryPart::kId: needs_disk_ = true; break;
        default:
          SIGHTLINE_RETURN_IF_ERROR(parts_->AddDescriptor(i, context_.limits.record));
          may_have_tokens = may_have_tokens || message_.query().parts(i).has_tokens();
      }
    }
    may_have_tokens = may_have_tokens || needs_disk_ || !parts_to_embed_.empty();
    choice_.on = choice_.asked || (choice_.on && may_have_tokens);
    if (!parts_to_embed_.empty()) {
      if (config.model.empty()) return FindCollectionModel(context_, config).status();
      SIGHTLINE_RETURN_IF_ERROR(model_.status());
      ToProto((*model_)->info(), reply_.mutable_stats()->mutable_model());
      SIGHTLINE_RETURN_IF_ERROR(CheckModelTokens(config));
    }
    needs_disk_ = needs_disk_ || choice_.on || message_.explain().enabled() || message_.return_attributes() ||
                  message_.return_preview();
    return absl::OkStatus();
  }

  absl::Status PrepareRerank(const index::CollectionConfig& config) {
    if (!config.model.empty()) model_ = FindCollectionModel(context_, config);
    // Without the model nobody knows what of an image its patches cover.
    if (message_.explain().enabled() && !config.model.empty()) SIGHTLINE_RETURN_IF_ERROR(model_.status());
    choice_ = ChooseRerank(message_.rerank(), model_.ok() ? &(*model_)->info() : nullptr);
    if (!config.token_space.empty()) return absl::OkStatus();
    choice_.on = false;
    if (!choice_.asked) return absl::OkStatus();
    return base::FailedPrecondition(
        "COLLECTION_KEEPS_NO_TOKENS",
        absl::StrCat("re-ranking was asked for, but the collection '", config.name,
                     "' keeps no patch tokens. Leave `rerank` out, or make a collection without drop_tokens."),
        {{"field", "rerank.method"}, {"collection", config.name}});
  }

  // A model may have been loaded again with other token settings: what it makes now is not compared with what is
  // stored.
  absl::Status CheckModelTokens(const index::CollectionConfig& config) {
    const model::ModelInfo& info = (*model_)->info();
    if (config.token_space.empty() || info.token_space == config.token_space) return absl::OkStatus();
    const absl::Status mismatch = TokenSpaceMismatch(
        absl::StrCat("the patch tokens that the model '", config.model, "' makes"), info.token_space, config);
    if (choice_.asked) return mismatch;
    if (choice_.on || message_.explain().enabled()) degraded_reasons_.emplace_back(mismatch.message());
    return absl::OkStatus();
  }

  void EmbedPart(int i) {
    if (absl::Status refused = RefusedSoFar(); !refused.ok()) return PartEmbedded(i, std::move(refused));
    const v1::QueryPart& part = message_.query().parts(i);
    EmbedJob job;
    job.request = request_;
    job.model = *model_;
    job.image = part.image();
    for (const v1::CropBox& crop : part.crops()) job.crops.push_back(FromProto(crop));
    context_.embedder.Embed(std::move(job), [self = shared_from_this(), i](absl::StatusOr<EmbedResult> result) {
      self->PartEmbedded(i, std::move(result));
    });
  }

  // One part that is refused is enough: nothing more is spent on the others.
  absl::Status RefusedSoFar() {
    base::MutexLock lock(mutex_);
    return status_;
  }

  void PartEmbedded(int i, absl::StatusOr<EmbedResult> result) {
    absl::Status status;
    {
      base::MutexLock lock(mutex_);
      if (result.ok()) {
        parts_->AddEmbedded(i, **model_, *std::move(result));
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
        context_, request_, [self = shared_from_this()] { return self->SearchNow(); }, done_,
        parts_to_embed_.empty() ? Spent::kNothing : Spent::kModelTime);
  }

  // What the query's stored images add to it, and whether it can then be compared by its patches as was asked.
  absl::Status CompleteQuery() {
    for (int i = 0; i < message_.query().parts_size(); ++i) {
      const v1::QueryPart& part = message_.query().parts(i);
      if (part.source_case() != v1::QueryPart::kId) continue;
      SIGHTLINE_ASSIGN_OR_RETURN(index::Record record, collection_->Get(part.id(), index::RecordView::kVectors));
      parts_->AddStored(i, Geometry(), std::move(record));
    }
    SIGHTLINE_ASSIGN_OR_RETURN(tokens_, parts_->Tokens());
    if (!tokens_.empty()) {
      if (choice_.on) CountPartsWithoutTokens();
      return absl::OkStatus();
    }
    if (choice_.asked) {
      return base::FailedPrecondition(
          "QUERY_HAS_NO_TOKENS",
          "re-ranking was asked for, but no part of the query has patch tokens. Search with an image, or send the "
          "descriptor's tokens with it, or leave `rerank` out.",
          {{"field", "query.parts"}});
    }
    choice_.on = false;
    if (message_.explain().enabled() && degraded_reasons_.empty()) {
      degraded_reasons_.emplace_back(
          collection_->config().token_space.empty()
              ? "there is no evidence, since the collection keeps no patch tokens. Make one without drop_tokens."
              : "there is no evidence, since no part of the query has patch tokens. Search with an image, or send the "
                "descriptor's tokens with it.");
    }
    return absl::OkStatus();
  }

  void CountPartsWithoutTokens() {
    std::set<int> with_tokens;
    for (const QueryTokens& one : tokens_) with_tokens.insert(one.part);
    const int parts = message_.query().parts_size();
    const int without = parts - static_cast<int>(with_tokens.size());
    if (without == 0) return;
    degraded_reasons_.push_back(absl::StrCat(
        without, " of ", parts,
        " parts of the query have no patch tokens: results are re-ranked by the others alone. Send images, "
        "or descriptors with their tokens."));
  }

  const model::Model* Geometry() const { return model_.ok() ? &(*model_)->model() : nullptr; }

  absl::StatusOr<index::SearchOutcome> SearchCollection() {
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<float> descriptor, parts_->Descriptor());
    index::SearchQuery query;
    query.descriptor = descriptor;
    query.top_k = choice_.on ? std::max(choice_.shortlist, Wanted()) : TopK();
    query.offset = choice_.on ? 0 : message_.offset();
    query.min_score = LeastScore();
    query.filter = message_.filter();
    query.group_by = message_.group_by();
    query.group_size = std::max(1, message_.group_size());
    query.exact = message_.exact();
    if (message_.has_ef_search()) query.ef_search = message_.ef_search();
    if (message_.has_nprobe()) query.nprobe = message_.nprobe();
    SIGHTLINE_ASSIGN_OR_RETURN(query.refinement, ReadRefinement(message_.expansion()));
    query.cancelled = [this] { return !request_->Check().ok(); };
    absl::StatusOr<index::SearchOutcome> outcome;
    {
      StageTimer timer(*request_, "search");
      outcome = collection_->Search(query);
    }
    if (!outcome.ok()) {
      // The index knows that it was told to stop, but not why.
      if (absl::IsCancelled(outcome.status())) SIGHTLINE_RETURN_IF_ERROR(request_->Check());
      return outcome;
    }
    context_.metrics.CountSearch(outcome->index, !query.filter.empty(), RefinementName(query.refinement.method));
    return outcome;
  }

  // With re-ranking, the confidence of a result is known only after it; without, it grows with the cosine, so that the
  // index can leave out most of what is not sure enough.
  std::optional<double> LeastScore() const {
    std::optional<double> least;
    if (message_.has_min_score()) least = message_.min_score();
    if (message_.has_min_confidence() && !choice_.on) {
      const double confident = std::clamp(confidence_->fit.model.LeastScore(message_.min_confidence()), -1.0, 1.0);
      least = std::max(least.value_or(confident), confident);
    }
    return least;
  }

  void DropUnsure(std::vector<RankedHit>* hits) const {
    if (!message_.has_min_confidence()) return;
    std::erase_if(*hits, [this](const RankedHit& hit) { return Confidence(hit) < message_.min_confidence(); });
  }

  double Confidence(const RankedHit& hit) const {
    return ConfidenceOf(*confidence_, hit.hit.score, hit.structural, choice_.transport);
  }

  int TopK() const { return message_.top_k() == 0 ? kDefaultTopK : message_.top_k(); }
  // How many of the best results the page ends after.
  int Wanted() const { return message_.offset() + TopK(); }

  // What reading the results' attributes and previews is taken to need, on a slow disk.
  absl::Duration TimeToFetch() const {
    const absl::Duration each = message_.return_preview()      ? absl::Microseconds(200)
                                : message_.return_attributes() ? absl::Microseconds(50)
                                                               : absl::ZeroDuration();
    return TopK() * each;
  }

  index::rerank::TransportDevice* RerankDevice() const {
    return collection_->config().device == index::IndexDevice::kAuto ? context_.card.transport.get() : nullptr;
  }

  // Re-ranks the hits, and cuts them to the page.
  absl::Status RerankHits(std::vector<index::Hit> hits, std::vector<RankedHit>* page) {
    SIGHTLINE_ASSIGN_OR_RETURN(RerankOutcome outcome, Rerank({.request = *request_,
                                                              .collection = *collection_,
                                                              .pool = &context_.workers,
                                                              .query = tokens_,
                                                              .choice = choice_,
                                                              .keep = message_.has_min_confidence() ? 0 : Wanted(),
                                                              .end = EndOfExtras(*request_, TimeToFetch()),
                                                              .device = RerankDevice()},
                                                             std::move(hits)));
    context_.metrics.CountRerank(outcome.completed == outcome.requested);
    reply_.mutable_stats()->set_rerank_requested(outcome.requested);
    reply_.mutable_stats()->set_rerank_completed(outcome.completed);
    for (std::string& reason : outcome.degraded_reasons) degraded_reasons_.push_back(std::move(reason));
    DropUnsure(&outcome.hits);
    const auto first = std::min(outcome.hits.size(), static_cast<size_t>(message_.offset()));
    const auto last = std::min(outcome.hits.size(), static_cast<size_t>(Wanted()));
    for (size_t i = first; i < last; ++i) page->push_back(std::move(outcome.hits[i]));
    return absl::OkStatus();
  }

  absl::Status SearchNow() {
    SIGHTLINE_RETURN_IF_ERROR(CompleteQuery());
    SIGHTLINE_ASSIGN_OR_RETURN(index::SearchOutcome outcome, SearchCollection());
    for (std::string& reason : outcome.degraded_reasons) degraded_reasons_.push_back(std::move(reason));
    std::vector<RankedHit> page;
    if (choice_.on) {
      SIGHTLINE_RETURN_IF_ERROR(RerankHits(std::move(outcome.hits), &page));
    } else {
      for (index::Hit& hit : outcome.hits) page.push_back({std::move(hit), std::nullopt});
      DropUnsure(&page);
    }
    SIGHTLINE_RETURN_IF_ERROR(FillResults(page));
    if (message_.explain().enabled() && !tokens_.empty()) {
      SIGHTLINE_RETURN_IF_ERROR(ExplainResults({.request = *request_,
                                                .collection = *collection_,
                                                .model = Geometry(),
                                                .query = tokens_,
                                                .choice = choice_,
                                                .confidence = confidence_,
                                                .options = message_.explain(),
                                                .end = EndOfExtras(*request_, absl::ZeroDuration())},
                                               reply_.mutable_results(), &degraded_reasons_));
    }
    FillStats(outcome);
    return absl::OkStatus();
  }

  void FillStats(const index::SearchOutcome& outcome) {
    v1::SearchStats* stats = reply_.mutable_stats();
    stats->set_embedding_space(collection_->config().embedding_space);
    stats->set_images(outcome.images);
    stats->set_matching(outcome.matching);
    stats->set_compared(outcome.compared);
    stats->set_index(outcome.index);
    stats->set_degraded(!degraded_reasons_.empty());
    stats->mutable_degraded_reasons()->Add(degraded_reasons_.begin(), degraded_reasons_.end());
    StagesToProto(*request_, stats->mutable_stages());
  }

  absl::Status FillResults(absl::Span<const RankedHit> page) {
    const bool fetch = message_.return_attributes() || message_.return_preview();
    const base::Clock::Ticks begin = request_->clock().Steady();
    int rank = message_.offset();
    reply_.mutable_results()->Reserve(static_cast<int>(page.size()));
    for (const RankedHit& ranked : page) {
      if (fetch) SIGHTLINE_RETURN_IF_ERROR(request_->Check());
      const index::Hit& hit = ranked.hit;
      v1::SearchResult result;
      result.set_id(hit.id);
      result.set_rank(++rank);
      result.set_rank_before_rerank(hit.rank_before_rerank);
      result.set_score(hit.score);
      if (ranked.structural) result.set_structural_score(*ranked.structural);
      if (hit.rerank_score) result.set_rerank_score(*hit.rerank_score);
      if (confidence_) result.set_confidence(Confidence(ranked));
      if (fetch) SIGHTLINE_RETURN_IF_ERROR(FetchRecord(&result));
      *reply_.add_results() = std::move(result);
    }
    if (fetch) request_->AddStage("fetch", base::MillisecondsBetween(begin, request_->clock().Steady()));
    return absl::OkStatus();
  }

  absl::Status FetchRecord(v1::SearchResult* result) {
    const absl::StatusOr<index::Record> record = collection_->Get(
        result->id(), message_.return_preview() ? index::RecordView::kImage : index::RecordView::kMetadata);
    // Deleted since the search found it: the result stays, without what is gone.
    if (absl::IsNotFound(record.status())) return absl::OkStatus();
    SIGHTLINE_RETURN_IF_ERROR(record.status());
    if (message_.return_attributes()) {
      ToProto(record->attributes, result->mutable_attributes());
      result->set_source_uri(record->source_uri);
    }
    if (message_.return_preview() && record->image_kind == index::KeepImage::kPreview) {
      result->set_preview(record->image);
    }
    return absl::OkStatus();
  }

  const ServiceContext& context_;
  const RequestPtr request_;
  const v1::SearchRequest& message_;
  v1::SearchResponse& reply_;
  const Done done_;
  std::shared_ptr<index::Collection> collection_;
  absl::StatusOr<ModelPtr> model_;  // the collection's; needed where something is to be embedded
  RerankChoice choice_;
  std::optional<index::FittedConfidence> confidence_;
  std::vector<int> parts_to_embed_;
  bool needs_disk_ = false;

  base::Mutex mutex_;  // while parts are embedded, guards what follows; before and after, one thread has it alone
  std::optional<QueryParts> parts_;
  size_t parts_left_ = 0;
  absl::Status status_;

  // Once the query is whole.
  absl::Span<const QueryTokens> tokens_;
  std::vector<std::string> degraded_reasons_;
};

void SearchService::Search(const RequestPtr& request, const v1::SearchRequest& message, v1::SearchResponse* reply,
                           Done done) {
  std::make_shared<SearchCall>(context_, request, message, reply, std::move(done))->Start();
}

void SearchService::Explain(const RequestPtr& request, const v1::ExplainRequest& message, v1::ExplainResponse* reply,
                            Done done) {
  ExplainMatch(context_, request, message, reply, std::move(done));
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
  context_.embedder.Embed(std::move(job), [request, &message, reply, model = *model,
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
