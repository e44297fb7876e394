#include "index/local_collection.h"

#include <algorithm>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "index/kernels/float16.h"
#include "index/store/checkpoint.h"
#include "index/store/errors.h"
#include "index/store/keys.h"
#include "index/store/random_id.h"
#include "index/validate.h"

namespace sightline::index {
namespace {

constexpr int kMaxResults = 10'000;
constexpr int kMaxPageSize = 1'000;
constexpr size_t kLoadBatch = 1'024;

// What an operation holds besides its payload.
constexpr size_t kOperationBytes = 1'024;

size_t BytesOf(const PutOperation& operation) {
  return kOperationBytes + operation.descriptor.size() * sizeof(float) + operation.descriptor_value.size() +
         operation.tokens_value.size() + operation.image_value.size();
}

absl::Status ReadOnlyError(const std::string& name, const absl::Status& reason) {
  return base::RetryableError(
      reason.code(), "COLLECTION_READ_ONLY",
      absl::StrCat("collection ", name, " takes no writes, because an earlier one failed: ", reason.message(),
                   " Searches go on; writes do as soon as the disk recovers."),
      absl::Seconds(5), {{"collection", name}, {"cause", base::GetErrorInfo(reason).reason}});
}

}  // namespace

absl::StatusOr<std::shared_ptr<LocalCollection>> LocalCollection::Open(std::unique_ptr<Store> store,
                                                                       const DatabaseOptions& options) {
  State state{std::move(store), nullptr};
  state.segment = std::make_shared<ExactSegment>(state.store->config().descriptor_dim);
  std::vector<ExactSegment::Addition> rows;
  SIGHTLINE_RETURN_IF_ERROR(
      state.store->ForEachDescriptor([&](uint64_t key, std::string id, std::vector<float> descriptor) {
        rows.push_back({key, std::move(id), std::move(descriptor)});
        if (rows.size() < kLoadBatch) return;
        state.segment->Apply(rows, {});
        rows.clear();
      }));
  state.segment->Apply(rows, {});
  return std::shared_ptr<LocalCollection>(new LocalCollection(std::move(state), options));
}

LocalCollection::LocalCollection(State state, const DatabaseOptions& options)
    : config_(state.store->config()),
      options_(options),
      state_(std::move(state)),
      counters_(state_.store->counters()),
      queue_({.max_items = options.max_pending_writes, .max_bytes = options.max_pending_bytes},
             [this](std::vector<Operation> batch) { Commit(std::move(batch)); }) {
  base::MutexLock lock(mutex_);
  sequence_ = counters_.sequence;
}

LocalCollection::~LocalCollection() { Close(); }

void LocalCollection::Flush() {
  const State state = this->state();
  if (state.store == nullptr) return;
  if (const absl::Status flushed = state.store->Flush(); !flushed.ok()) {
    base::Log(base::Severity::kWarning, "the log was not flushed; the next start replays it",
              {{"collection", config_.name}, {"reason", std::string(flushed.message())}});
  }
}

absl::Status LocalCollection::MakeCheckpoint(const std::string& folder) const {
  const State state = this->state();
  if (state.store == nullptr) return CollectionDeleted(config_.name);
  const absl::Status made = index::MakeCheckpoint(*state.store, folder);
  // Its files went away under it.
  if (!made.ok() && this->state().store == nullptr) return CollectionDeleted(config_.name);
  return made;
}

int64_t LocalCollection::Close() {
  queue_.Close();
  State state;
  {
    base::MutexLock lock(mutex_);
    std::swap(state, state_);
  }
  return state.segment == nullptr ? 0 : state.segment->live();
}

LocalCollection::State LocalCollection::state() const {
  base::MutexLock lock(mutex_);
  return state_;
}

// ---- Reading

CollectionStats LocalCollection::Stats() const {
  CollectionStats stats;
  State state;
  {
    base::MutexLock lock(mutex_);
    state = state_;
    stats.sequence = sequence_;
    stats.read_only = !read_only_.ok();
    stats.read_only_reason = std::string(read_only_.message());
  }
  if (state.store == nullptr) return stats;
  stats.images = state.segment->live();
  stats.deleted_images = state.segment->rows() - stats.images;
  stats.memory.descriptors = state.segment->descriptor_bytes();
  stats.memory.attributes = state.segment->id_bytes();
  stats.memory.log = state.store->WriteBufferBytes();
  stats.disk = state.store->DiskBytes();
  stats.index_choice = absl::StrCat("exact: every one of ", stats.images, " images is compared");
  stats.segments = 1;
  stats.tail_images = stats.images;
  return stats;
}

absl::StatusOr<Record> LocalCollection::Get(const std::string& id, RecordView view) const {
  const State state = this->state();
  if (state.store == nullptr) return CollectionDeleted(config_.name);
  SIGHTLINE_RETURN_IF_ERROR(ValidateId(id, options_.limits));
  const StoreView now = state.store->View();
  SIGHTLINE_ASSIGN_OR_RETURN(const std::optional<uint64_t> key, now.FindKey(id));
  if (!key) return RecordNotFound(id, config_.name);
  return now.Read(*key, view);
}

absl::StatusOr<RecordPage> LocalCollection::List(int page_size, const std::string& page_token, RecordView view,
                                                 const std::string& /*filter*/) const {
  const State state = this->state();
  if (state.store == nullptr) return CollectionDeleted(config_.name);
  if (page_size < 1 || page_size > kMaxPageSize) {
    return base::InvalidArgument(
        "PAGE_SIZE_INVALID",
        absl::StrCat("page_size is ", page_size, "; it must be 1 to ", kMaxPageSize, ". Ask for several pages."),
        {{"actual", absl::StrCat(page_size)}, {"limit", absl::StrCat(kMaxPageSize)}});
  }
  const std::optional<uint64_t> after = page_token.empty() ? 0 : ParsePageToken(page_token);
  if (!after) {
    return base::InvalidArgument("PAGE_TOKEN_INVALID",
                                 "the page_token is not one that this server gave. Start again without one.");
  }
  RecordPage page;
  std::optional<uint64_t> last_key;
  SIGHTLINE_ASSIGN_OR_RETURN(page.records, state.store->View().ReadPage(*after, page_size, view, &last_key));
  if (last_key) page.next_page_token = PageToken(*last_key);
  return page;
}

absl::StatusOr<SearchOutcome> LocalCollection::Search(const SearchQuery& query) const {
  const std::shared_ptr<ExactSegment> segment = state().segment;
  if (segment == nullptr) return CollectionDeleted(config_.name);
  if (query.top_k < 1 || query.offset < 0 || static_cast<int64_t>(query.offset) + query.top_k > kMaxResults) {
    return base::InvalidArgument(
        "TOP_K_INVALID",
        absl::StrCat("offset is ", query.offset, " and top_k is ", query.top_k,
                     "; top_k must be at least 1 and their sum at most ", kMaxResults, ". Ask for fewer results."),
        {{"limit", absl::StrCat(kMaxResults)}});
  }
  if (query.min_score && !(*query.min_score >= -1 && *query.min_score <= 1)) {
    return base::InvalidArgument("MIN_SCORE_INVALID", absl::StrCat("min_score is ", *query.min_score,
                                                                   "; it must be -1 to 1. Choose one in that range."));
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<float> descriptor,
                             NormalizeDescriptor(query.descriptor, config_.descriptor_dim));
  ExactSegment::Request request;
  request.query = descriptor.data();
  request.k = static_cast<size_t>(query.offset + query.top_k);
  // -1 takes everything, also a score that rounding put just below it.
  if (query.min_score && *query.min_score > -1) request.min_score = static_cast<float>(*query.min_score);
  request.cancelled = query.cancelled;
  SearchOutcome outcome;
  outcome.images = segment->live();
  outcome.matching = outcome.images;
  outcome.index = "exact";
  ExactSegment::Result result = segment->Search(request);
  if (result.cancelled) {
    return base::Error(absl::StatusCode::kCancelled, "CANCELLED",
                       "the search was cancelled by its caller. Send it again if the result is still wanted.");
  }
  outcome.compared = result.compared;
  for (size_t i = static_cast<size_t>(query.offset); i < result.matches.size(); ++i) {
    // Rounding can take a cosine a few units of the last place beyond 1.
    const double score = std::clamp<double>(result.matches[i].score, -1, 1);
    outcome.hits.push_back({.id = std::move(result.matches[i].id),
                            .score = score,
                            .rerank_score = std::nullopt,
                            .rank_before_rerank = static_cast<int>(i) + 1});
  }
  return outcome;
}

absl::StatusOr<DeleteResult> LocalCollection::DeleteMatching(const std::string&) {
  return absl::UnimplementedError("not yet");
}

absl::StatusOr<AttributeCountPage> LocalCollection::CountValues(const std::string&, const std::string&, int,
                                                                const std::string&) const {
  return absl::UnimplementedError("not yet");
}

absl::Status LocalCollection::Optimize(const OptimizeOptions&, const Progress&) {
  return absl::UnimplementedError("not yet");
}

int64_t LocalCollection::SearchCost() const {
  const std::shared_ptr<ExactSegment> segment = state().segment;
  return segment == nullptr ? 0 : segment->rows() * config_.descriptor_dim;
}

// ---- Asking for writes

absl::StatusOr<PutOperation> LocalCollection::Prepare(Write write) const {
  Record& record = write.record;
  SIGHTLINE_ASSIGN_OR_RETURN(std::vector<float> descriptor,
                             NormalizeDescriptor(record.descriptor, config_.descriptor_dim));
  SIGHTLINE_RETURN_IF_ERROR(ValidateRecord(record, options_.limits, /*allow_empty_id=*/true));
  SIGHTLINE_RETURN_IF_ERROR(ValidateRequestId(write.request_id, options_.limits));
  if (record.id.empty()) record.id = RandomHex(16);

  PutOperation operation;
  operation.request_id = std::move(write.request_id);
  operation.descriptor_value = EncodeDescriptor(descriptor, config_.descriptor_precision);
  if (config_.descriptor_precision == DescriptorPrecision::kFloat16) {
    // Searches see what is stored, so that a restart changes no score.
    for (float& value : descriptor) value = kernels::FloatFromFloat16(kernels::Float16FromFloat(value));
  }
  operation.descriptor = std::move(descriptor);
  if (record.tokens && !config_.token_space.empty() && !config_.drop_tokens) {
    operation.stored.has_tokens = true;
    operation.tokens_value = EncodeTokens(*record.tokens);
  }
  if (!record.image.empty() && config_.keep_image != KeepImage::kNone) {
    operation.stored.has_image = true;
    operation.image_value = EncodeImage(record.image);
  }
  record.descriptor.clear();
  record.tokens.reset();
  record.image.clear();
  operation.stored.record = std::move(record);
  return operation;
}

std::optional<absl::Status> LocalCollection::Enqueue(Operation& operation, size_t bytes) {
  switch (queue_.Push(operation, bytes)) {
    case Admission::kAccepted: return std::nullopt;
    case Admission::kClosed: return CollectionDeleted(config_.name);
    case Admission::kFull: break;
  }
  return base::RetryableError(
      absl::StatusCode::kResourceExhausted, "TOO_MANY_PENDING_WRITES",
      absl::StrCat("collection ", config_.name, " has as many writes waiting as it may (", options_.max_pending_writes,
                   ", or ", options_.max_pending_bytes, " bytes). Try again in a moment, or send fewer at once."),
      absl::Milliseconds(100), {{"limit", absl::StrCat(options_.max_pending_writes)}});
}

template <typename Result>
absl::StatusOr<Result> LocalCollection::Await(const std::function<void(Done<Result>)>& start) const {
  base::Mutex mutex;
  base::CondVar changed;
  std::optional<absl::StatusOr<Result>> answer;
  start([&](absl::StatusOr<Result> result) {
    base::MutexLock lock(mutex);
    answer = std::move(result);
    changed.NotifyOne();
  });
  base::MutexLock lock(mutex);
  while (!answer) changed.Wait(mutex);
  return *std::move(answer);
}

void LocalCollection::PutAsync(Write write, std::function<void(absl::StatusOr<WriteResult>)> done) {
  absl::StatusOr<PutOperation> prepared = Prepare(std::move(write));
  if (!prepared.ok()) return done(prepared.status());
  const size_t bytes = BytesOf(*prepared);
  prepared->done = std::move(done);
  Operation operation = *std::move(prepared);
  if (const auto refused = Enqueue(operation, bytes)) std::get<PutOperation>(operation).done(*refused);
}

absl::StatusOr<WriteResult> LocalCollection::Put(Write write) {
  return Await<WriteResult>([&](Done<WriteResult> done) { PutAsync(std::move(write), std::move(done)); });
}

absl::StatusOr<DeleteResult> LocalCollection::Delete(absl::Span<const std::string> ids) {
  size_t bytes = kOperationBytes;
  for (const std::string& id : ids) {
    SIGHTLINE_RETURN_IF_ERROR(ValidateId(id, options_.limits));
    bytes += id.size() + sizeof(std::string);
  }
  return Await<DeleteResult>([&](Done<DeleteResult> done) {
    Operation operation = DeleteOperation{{ids.begin(), ids.end()}, std::move(done)};
    if (const auto refused = Enqueue(operation, bytes)) std::get<DeleteOperation>(operation).done(*refused);
  });
}

absl::StatusOr<Record> LocalCollection::UpdateAttributes(const std::string& id, const AttributeChange& change) {
  SIGHTLINE_RETURN_IF_ERROR(ValidateId(id, options_.limits));
  SIGHTLINE_RETURN_IF_ERROR(ValidateAttributes(change.set, options_.limits));
  return Await<Record>([&](Done<Record> done) {
    Operation operation = UpdateOperation{id, change, std::move(done)};
    const size_t bytes = kOperationBytes + static_cast<size_t>(options_.limits.max_attribute_bytes);
    if (const auto refused = Enqueue(operation, bytes)) std::get<UpdateOperation>(operation).done(*refused);
  });
}

// ---- Committing

void LocalCollection::SetReadOnly(const absl::Status& reason) {
  base::MutexLock lock(mutex_);
  if (read_only_.ok() == reason.ok()) return;
  read_only_ = reason;
  base::Log(reason.ok() ? base::Severity::kInfo : base::Severity::kError,
            reason.ok() ? "collection takes writes again" : "collection is read-only",
            {{"collection", config_.name}, {"reason", std::string(reason.message())}});
}

absl::Status LocalCollection::Recover(Store& store) {
  absl::Status reason;
  {
    base::MutexLock lock(mutex_);
    reason = read_only_;
  }
  if (reason.ok()) return absl::OkStatus();
  if (!store.Resume().ok()) return ReadOnlyError(config_.name, reason);
  SetReadOnly(absl::OkStatus());
  return absl::OkStatus();
}

absl::Status LocalCollection::WriteAndApply(WritePlan& plan, const State& state) {
  if (plan.empty()) return absl::OkStatus();
  SIGHTLINE_RETURN_IF_ERROR(plan.Finish());
  const absl::Status written = state.store->Write(&plan.batch());
  if (!written.ok()) {
    // The keys of the failed batch are not given again: it may yet turn up on disk after a crash.
    counters_.next_key = plan.counters().next_key;
    SetReadOnly(written);
    return written;
  }
  counters_ = plan.counters();
  state.segment->Apply(plan.added(), plan.killed());
  std::shared_ptr<ExactSegment> compacted;
  if (state.segment->WorthCompacting()) compacted = state.segment->Compacted();
  base::MutexLock lock(mutex_);
  sequence_ = counters_.sequence;
  if (compacted != nullptr) state_.segment = std::move(compacted);
  return absl::OkStatus();
}

void LocalCollection::Commit(std::vector<Operation> batch) {
  // The collection lets go of its state only after this thread has ended.
  const State state = this->state();
  absl::Status status = Recover(*state.store);
  std::vector<std::function<void(const absl::Status&)>> answers;
  answers.reserve(batch.size());
  const auto planned = [&answers](auto result, auto done) {
    answers.push_back([result = std::move(result), done = std::move(done)](const absl::Status& written) mutable {
      if (result.ok() && !written.ok()) {
        done(written);
      } else {
        done(std::move(result));
      }
    });
  };
  WritePlan plan(*state.store, options_.limits, {options_.clock->Now(), options_.request_id_retention}, counters_);
  for (Operation& operation : batch) {
    std::visit(
        [&](auto& typed) {
          using Type = std::decay_t<decltype(typed)>;
          auto done = std::move(typed.done);
          if constexpr (std::is_same_v<Type, PutOperation>) {
            planned(status.ok() ? plan.Put(std::move(typed)) : status, std::move(done));
          } else if constexpr (std::is_same_v<Type, DeleteOperation>) {
            planned(status.ok() ? plan.Delete(typed) : status, std::move(done));
          } else {
            planned(status.ok() ? plan.Update(typed) : status, std::move(done));
          }
        },
        operation);
  }
  if (status.ok()) status = WriteAndApply(plan, state);
  for (auto& answer : answers) answer(status);
}

}  // namespace sightline::index
