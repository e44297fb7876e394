#include "index/local_collection.h"

#include <algorithm>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "base/status.h"
#include "index/kernels/float16.h"
#include "index/store/checkpoint.h"
#include "index/store/errors.h"
#include "index/store/keys.h"
#include "index/store/random_id.h"
#include "index/store/token_codec.h"
#include "index/validate.h"

namespace sightline::index {
namespace {

constexpr int kMaxPageSize = 1'000;
constexpr size_t kDeleteBatch = 1'000;

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

// The records written so far stay, unmarked or with their mark.
void SetKeepImage(KeepImage kind, CollectionConfig* config) {
  if (kind == config->keep_image) return;
  if (!config->first_keep_image) config->first_keep_image = config->keep_image;
  config->had_previews |= config->keep_image == KeepImage::kPreview;
  config->had_originals |= config->keep_image == KeepImage::kOriginal;
  config->keep_image = kind;
}

absl::Status CheckPageSize(int page_size) {
  if (page_size >= 1 && page_size <= kMaxPageSize) return absl::OkStatus();
  return base::InvalidArgument(
      "PAGE_SIZE_INVALID",
      absl::StrCat("page_size is ", page_size, "; it must be 1 to ", kMaxPageSize, ". Ask for several pages."),
      {{"actual", absl::StrCat(page_size)}, {"limit", absl::StrCat(kMaxPageSize)}});
}

// What the token of a page says that comes before it; 0 for the first page.
absl::StatusOr<uint64_t> StartOfPage(const std::string& page_token) {
  if (page_token.empty()) return 0;
  if (const std::optional<uint64_t> start = ParsePageToken(page_token)) return *start;
  return base::InvalidArgument("PAGE_TOKEN_INVALID",
                               "the page_token is not one that this server gave. Start again without one.");
}

}  // namespace

absl::StatusOr<std::shared_ptr<LocalCollection>> LocalCollection::Open(std::unique_ptr<Store> store,
                                                                       const std::string& segment_folder,
                                                                       const DatabaseOptions& options,
                                                                       const Shared& shared) {
  State state{std::move(store), nullptr};
  SIGHTLINE_ASSIGN_OR_RETURN(state.engine, Engine::Open(*state.store, segment_folder, options, shared.pools));
  absl::StatusOr<std::optional<FittedConfidence>> confidence = state.store->ReadConfidence();
  if (!confidence.ok()) {
    // It can be fitted again; the images are worth more.
    base::Log(base::Severity::kWarning, "the confidence of a collection cannot be read; it has to be fitted again",
              {{"collection", state.store->config().name}, {"reason", std::string(confidence.status().message())}});
    confidence = std::nullopt;
  }
  return std::shared_ptr<LocalCollection>(
      new LocalCollection(std::move(state), *std::move(confidence), options, shared));
}

LocalCollection::LocalCollection(State state, std::optional<FittedConfidence> confidence,
                                 const DatabaseOptions& options, const Shared& shared)
    : options_(options),
      shared_(shared),
      state_(std::move(state)),
      counters_(state_.store->counters()),
      queue_({.max_items = options.max_pending_writes, .max_bytes = options.max_pending_bytes},
             [this](std::vector<Operation> batch) { Commit(std::move(batch)); }) {
  base::MutexLock lock(mutex_);
  AddConfig(state_.store->config());
  confidence_ = std::move(confidence);
  sequence_ = counters_.sequence;
  if (state_.store->only_what_is_left()) read_only_ = OnlyWhatIsLeft(config().name);
}

LocalCollection::~LocalCollection() { Close(); }

void LocalCollection::Flush() {
  const State state = this->state();
  if (state.store == nullptr) return;
  state.engine->Stop(/*orderly=*/!options_.recovery);
  if (const absl::Status flushed = state.store->Flush(); !flushed.ok()) {
    base::Log(base::Severity::kWarning, "the log was not flushed; the next start replays it",
              {{"collection", config().name}, {"reason", std::string(flushed.message())}});
  }
}

absl::Status LocalCollection::MakeCheckpoint(const std::string& folder) const {
  const State state = this->state();
  if (state.store == nullptr) return CollectionDeleted(config().name);
  const absl::Status made = index::MakeCheckpoint(*state.store, folder);
  // Its files went away under it.
  if (!made.ok() && this->state().store == nullptr) return CollectionDeleted(config().name);
  return made;
}

int64_t LocalCollection::Close() {
  queue_.Close();
  State state;
  {
    base::MutexLock lock(mutex_);
    std::swap(state, state_);
  }
  if (state.engine == nullptr) return 0;
  state.engine->Stop(/*orderly=*/false);
  return state.engine->live();
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
  state.engine->FillStats(&stats);
  stats.memory.log = state.store->WriteBufferBytes();
  stats.disk = state.store->DiskBytes();
  state.engine->AddDiskBytes(&stats.disk);
  return stats;
}

LayerBytes LocalCollection::memory() const {
  CollectionStats stats;
  if (const State state = this->state(); state.engine != nullptr) {
    state.engine->FillStats(&stats);
    stats.memory.log = state.store->WriteBufferBytes();
  }
  return stats.memory;
}

absl::StatusOr<Record> LocalCollection::Get(const std::string& id, RecordView view) const {
  const State state = this->state();
  if (state.store == nullptr) return CollectionDeleted(config().name);
  SIGHTLINE_RETURN_IF_ERROR(ValidateId(id, options_.limits));
  const StoreView now = state.store->View();
  SIGHTLINE_ASSIGN_OR_RETURN(const std::optional<uint64_t> key, now.FindKey(id));
  if (!key) return RecordNotFound(id, config().name);
  return now.Read(*key, view);
}

absl::StatusOr<std::vector<std::optional<PatchTokens>>> LocalCollection::ReadTokens(
    absl::Span<const std::string> ids) const {
  const State state = this->state();
  if (state.store == nullptr) return CollectionDeleted(config().name);
  for (const std::string& id : ids) SIGHTLINE_RETURN_IF_ERROR(ValidateId(id, options_.limits));
  return state.store->View().ReadTokens(ids);
}

absl::StatusOr<RecordPage> LocalCollection::List(int page_size, const std::string& page_token, RecordView view,
                                                 const std::string& filter) const {
  const State state = this->state();
  if (state.store == nullptr) return CollectionDeleted(config().name);
  SIGHTLINE_RETURN_IF_ERROR(CheckPageSize(page_size));
  SIGHTLINE_ASSIGN_OR_RETURN(const uint64_t after, StartOfPage(page_token));
  RecordPage page;
  std::optional<uint64_t> last_key;
  // A scan ends at the first block that is damaged, and what can be read without one is in the rows.
  if (filter.empty() && !state.store->only_what_is_left()) {
    SIGHTLINE_ASSIGN_OR_RETURN(page.records, state.store->View().ReadPage(after, page_size, view, &last_key));
  } else {
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<uint64_t> keys,
                               state.engine->MatchingKeys(filter, after, static_cast<size_t>(page_size) + 1));
    SIGHTLINE_ASSIGN_OR_RETURN(page.records, state.store->View().ReadKeys(keys, page_size, view, &last_key));
  }
  if (last_key) page.next_page_token = PageToken(*last_key);
  return page;
}

absl::StatusOr<SearchOutcome> LocalCollection::Search(const SearchQuery& query) const {
  const State state = this->state();
  if (state.engine == nullptr) return CollectionDeleted(config().name);
  return state.engine->Search(query);
}

absl::StatusOr<AttributeCountPage> LocalCollection::CountValues(const std::string& key, const std::string& filter,
                                                                int page_size, const std::string& page_token) const {
  const State state = this->state();
  if (state.engine == nullptr) return CollectionDeleted(config().name);
  SIGHTLINE_RETURN_IF_ERROR(CheckPageSize(page_size));
  SIGHTLINE_ASSIGN_OR_RETURN(const uint64_t begin, StartOfPage(page_token));
  SIGHTLINE_ASSIGN_OR_RETURN(std::vector<AttributeCount> counts, state.engine->CountValues(key, filter));
  AttributeCountPage page;
  const size_t first = std::min<size_t>(begin, counts.size());
  const size_t end = std::min(first + static_cast<size_t>(page_size), counts.size());
  for (size_t i = first; i < end; ++i) page.counts.push_back(std::move(counts[i]));
  if (end < counts.size()) page.next_page_token = PageToken(end);
  return page;
}

absl::Status LocalCollection::Optimize(const OptimizeOptions& options, const Progress& progress) {
  const State state = this->state();
  if (state.engine == nullptr) return CollectionDeleted(config().name);
  return state.engine->Optimize(options, progress);
}

int64_t LocalCollection::SearchCost() const {
  const State state = this->state();
  return state.engine == nullptr ? 0 : state.engine->SearchCost();
}

// ---- Asking for writes

absl::StatusOr<PutOperation> LocalCollection::Prepare(Write write) const {
  const CollectionConfig& config = this->config();
  Record& record = write.record;
  SIGHTLINE_ASSIGN_OR_RETURN(std::vector<float> descriptor,
                             NormalizeDescriptor(record.descriptor, config.descriptor_dim));
  SIGHTLINE_RETURN_IF_ERROR(ValidateRecord(record, options_.limits, /*allow_empty_id=*/true));
  SIGHTLINE_RETURN_IF_ERROR(ValidateRequestId(write.request_id, options_.limits));
  if (record.id.empty()) record.id = RandomHex(16);

  PutOperation operation;
  operation.request_id = std::move(write.request_id);
  operation.copy = write.copy;
  operation.descriptor_value = EncodeDescriptor(descriptor, config.descriptor_precision);
  if (config.descriptor_precision == DescriptorPrecision::kFloat16) {
    // Searches see what is stored, so that a restart changes no score.
    for (float& value : descriptor) value = kernels::FloatFromFloat16(kernels::Float16FromFloat(value));
  }
  operation.descriptor = std::move(descriptor);
  if (record.tokens && !config.token_space.empty() && !config.drop_tokens) {
    operation.stored.has_tokens = true;
    operation.tokens_value = EncodeTokens(*record.tokens);
  }
  if (!record.image.empty() && config.keep_image != KeepImage::kNone) {
    operation.stored.has_image = true;
    const KeepImage kind = record.image_kind.value_or(config.keep_image);
    if (kind != config.first_keep_image.value_or(config.keep_image)) operation.stored.marked_image = kind;
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
    case Admission::kClosed: return CollectionDeleted(config().name);
    case Admission::kFull: break;
  }
  return base::RetryableError(
      absl::StatusCode::kResourceExhausted, "TOO_MANY_PENDING_WRITES",
      absl::StrCat("collection ", config().name, " has as many writes waiting as it may (", options_.max_pending_writes,
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
  if (const absl::Status admitted = shared_.budget->Admit(bytes); !admitted.ok()) return done(admitted);
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

absl::StatusOr<DeleteResult> LocalCollection::DeleteMatching(const std::string& filter) {
  const State state = this->state();
  if (state.engine == nullptr) return CollectionDeleted(config().name);
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> ids, state.engine->MatchingIds(filter));
  DeleteResult all;
  for (size_t i = 0; i < ids.size(); i += kDeleteBatch) {
    SIGHTLINE_ASSIGN_OR_RETURN(const DeleteResult some, Delete(absl::MakeConstSpan(ids).subspan(i, kDeleteBatch)));
    all.deleted += some.deleted;
  }
  return all;
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
            {{"collection", config().name}, {"reason", std::string(reason.message())}});
}

absl::Status LocalCollection::Recover(Store& store) {
  if (store.only_what_is_left()) return OnlyWhatIsLeft(config().name);
  absl::Status reason;
  {
    base::MutexLock lock(mutex_);
    reason = read_only_;
  }
  // It may also have been upkeep's write that failed.
  if (reason.ok()) reason = store.write_failure();
  if (reason.ok()) return absl::OkStatus();
  if (!store.Resume().ok()) return ReadOnlyError(config().name, reason);
  SetReadOnly(absl::OkStatus());
  return absl::OkStatus();
}

absl::Status LocalCollection::WriteAndApply(WritePlan& plan, const State& state) {
  if (plan.empty()) return absl::OkStatus();
  SIGHTLINE_RETURN_IF_ERROR(plan.Finish());
  SIGHTLINE_KILL_POINT("commit.before_write");
  absl::Status written = state.store->Write(&plan.batch());
  // It may have been told of a flush or compaction that failed earlier; and then the disk may be well again.
  if (!written.ok() && Recover(*state.store).ok()) written = state.store->Write(&plan.batch());
  SIGHTLINE_KILL_POINT("commit.after_write");
  if (!written.ok()) {
    // The keys of the failed batch are not given again: it may yet turn up on disk after a crash.
    counters_.next_key = plan.counters().next_key;
    SetReadOnly(written);
    return written;
  }
  counters_ = plan.counters();
  state.engine->Apply(plan.TakeEffect());
  base::MutexLock lock(mutex_);
  sequence_ = counters_.sequence;
  return absl::OkStatus();
}

absl::Status LocalCollection::MoveWrites(absl::FunctionRef<absl::Status()> move) {
  base::MutexLock lock(commit_mutex_);
  SIGHTLINE_RETURN_IF_ERROR(move());
  moved_ = true;
  return absl::OkStatus();
}

std::optional<FittedConfidence> LocalCollection::Confidence() const {
  base::MutexLock lock(mutex_);
  return confidence_;
}

absl::Status LocalCollection::SetConfidence(const FittedConfidence& confidence) {
  base::MutexLock commit_lock(commit_mutex_);
  const State state = this->state();
  if (state.store == nullptr) return CollectionDeleted(config().name);
  if (moved_) return CollectionMoved(config().name);
  SIGHTLINE_RETURN_IF_ERROR(Recover(*state.store));
  SIGHTLINE_RETURN_IF_ERROR(state.store->WriteConfidence(confidence));
  base::MutexLock lock(mutex_);
  confidence_ = confidence;
  return absl::OkStatus();
}

// ---- Settings

void LocalCollection::AddConfig(CollectionConfig config) {
  configs_.push_back(std::make_unique<const CollectionConfig>(std::move(config)));
  config_.store(configs_.back().get(), std::memory_order_release);
}

absl::Status LocalCollection::ChangeSettings(const SettingsChange& change) {
  base::MutexLock commit_lock(commit_mutex_);
  CollectionConfig changed = config();
  if (change.token_space && !changed.token_space.empty() && *change.token_space != changed.token_space) {
    return base::InvalidArgument(
        "TOKEN_SPACE_FIXED",
        absl::StrCat("collection ", changed.name, " holds tokens of the space ", changed.token_space, ", not ",
                     *change.token_space, ". Embed it again to change that."),
        {{"actual", *change.token_space}, {"limit", changed.token_space}});
  }
  if (change.keep_image) SetKeepImage(*change.keep_image, &changed);
  if (change.index_kind) changed.index_kind = *change.index_kind;
  if (change.device) changed.device = *change.device;
  if (change.drop_tokens) changed.drop_tokens = *change.drop_tokens;
  if (change.description) changed.description = *change.description;
  if (change.token_space) changed.token_space = *change.token_space;
  return Reconfigure(changed);
}

absl::Status LocalCollection::TakeSettings(const CollectionConfig& from) {
  base::MutexLock commit_lock(commit_mutex_);
  CollectionConfig changed = config();
  SetKeepImage(from.keep_image, &changed);
  changed.had_previews |= from.had_previews;
  changed.had_originals |= from.had_originals;
  // Where only the other one was changed, unmarked records are still of the first kind.
  if ((changed.had_previews || changed.had_originals) && !changed.first_keep_image) {
    changed.first_keep_image = changed.keep_image;
  }
  changed.index_kind = from.index_kind;
  changed.device = from.device;
  changed.drop_tokens = from.drop_tokens;
  changed.description = from.description;
  return Reconfigure(changed);
}

absl::Status LocalCollection::Reconfigure(const CollectionConfig& changed) {
  const State state = this->state();
  if (state.store == nullptr) return CollectionDeleted(changed.name);
  if (moved_) return CollectionMoved(changed.name);
  SIGHTLINE_RETURN_IF_ERROR(ValidateConfig(changed, options_.limits));
  const CollectionConfig& before = config();
  if (changed == before) return absl::OkStatus();
  SIGHTLINE_RETURN_IF_ERROR(Recover(*state.store));
  SIGHTLINE_KILL_POINT("settings.before_write");
  SIGHTLINE_RETURN_IF_ERROR(state.store->WriteConfig(changed));
  SIGHTLINE_KILL_POINT("settings.after_write");
  {
    base::MutexLock lock(mutex_);
    AddConfig(changed);
  }
  if (changed.index_kind != before.index_kind) state.engine->SetIndexKind(changed.index_kind);
  if (changed.device != before.device) state.engine->SetDevice(changed.device);
  return absl::OkStatus();
}

void LocalCollection::TrackChanges() {
  base::MutexLock lock(mutex_);
  changes_.emplace();
}

void LocalCollection::StopTracking() {
  base::MutexLock lock(mutex_);
  changes_.reset();
}

std::vector<std::string> LocalCollection::TakeChanges() {
  base::MutexLock lock(mutex_);
  std::vector<std::string> ids;
  if (changes_) {
    ids.assign(changes_->begin(), changes_->end());
    changes_->clear();
  }
  return ids;
}

void LocalCollection::NoteChanges(std::vector<std::string> ids) {
  base::MutexLock lock(mutex_);
  if (changes_) changes_->insert(std::make_move_iterator(ids.begin()), std::make_move_iterator(ids.end()));
}

absl::Status LocalCollection::CopyRequests(const LocalCollection& from, absl::Time since) {
  const State mine = state();
  const State theirs = from.state();
  if (mine.store == nullptr || theirs.store == nullptr) return CollectionDeleted(config().name);
  return mine.store->CopyRequests(*theirs.store, since);
}

void LocalCollection::Commit(std::vector<Operation> batch) {
  base::MutexLock commit_lock(commit_mutex_);
  // The collection lets go of its state only after this thread has ended.
  const State state = this->state();
  absl::Status status = moved_ ? CollectionMoved(config().name) : Recover(*state.store);
  std::vector<std::string> ids;
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
            ids.push_back(typed.stored.record.id);
            planned(status.ok() ? plan.Put(std::move(typed)) : status, std::move(done));
          } else if constexpr (std::is_same_v<Type, DeleteOperation>) {
            ids.insert(ids.end(), typed.ids.begin(), typed.ids.end());
            planned(status.ok() ? plan.Delete(typed) : status, std::move(done));
          } else {
            ids.push_back(typed.id);
            planned(status.ok() ? plan.Update(typed) : status, std::move(done));
          }
        },
        operation);
  }
  if (status.ok()) status = WriteAndApply(plan, state);
  NoteChanges(std::move(ids));
  SIGHTLINE_KILL_POINT("commit.before_answer");
  for (auto& answer : answers) answer(status);
}

}  // namespace sightline::index
