#include "server/services/reembedding.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/kill_point.h"
#include "base/mutex.h"
#include "base/status.h"
#include "server/convert.h"

namespace sightline::server {
namespace {

constexpr int kPageSize = 256;
constexpr size_t kChunk = 16;         // images embedded side by side
constexpr int kRounds = 10;           // of carrying over changes before writes are held all the same
constexpr size_t kFewChanges = 4;     // carried over while writes are held
constexpr size_t kMostChanges = 256;  // the same, when writes do not let up
constexpr int kSwapTries = 5;
constexpr int kDefaultKeepHours = 24;
constexpr int kShownLeftOut = 1000;
constexpr size_t kNamedLeftOut = 100;
// The collection takes more in a moment; a full memory or disk does not go away by itself.
constexpr char kQueueFullReason[] = "TOO_MANY_PENDING_WRITES";
constexpr auto kEmbedTime = std::chrono::hours(1);
constexpr auto kPoll = std::chrono::milliseconds(100);
constexpr auto kBusyWait = std::chrono::milliseconds(50);
// Rounds of kBusyWait that a model without a device is waited for: a minute, in which the CPU may stand in.
constexpr int kMostLostRounds = 1200;

absl::Status CancelledByCaller() {
  return base::Error(absl::StatusCode::kCancelled, "CANCELLED",
                     "embedding again was cancelled. Start it again, and it goes on where it was; or drop the other "
                     "space.");
}

// Only the caller of Swap sees it.
absl::Status NotSettled() {
  return base::Error(absl::StatusCode::kAborted, "NOT_SETTLED", "more was written. Try again.");
}

// Waits for answers that come on other threads.
template <typename Result>
class Answers {
 public:
  explicit Answers(size_t count) : results_(count), left_(count) {}
  void Set(size_t i, Result result) {
    base::MutexLock lock(mutex_);
    results_[i].emplace(std::move(result));
    --left_;
    changed_.NotifyAll();
  }
  // False when some are still to come after `time`.
  bool WaitFor(std::chrono::nanoseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    base::MutexLock lock(mutex_);
    while (left_ > 0 && changed_.WaitUntil(mutex_, end)) {
    }
    return left_ == 0;
  }
  // After all have come.
  Result Take(size_t i) {
    base::MutexLock lock(mutex_);
    return *std::move(results_[i]);
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<std::optional<Result>> results_ ABSL_GUARDED_BY(mutex_);
  size_t left_ ABSL_GUARDED_BY(mutex_);
};

// Whether it is the image that cannot be embedded, and not the moment.
bool IsAboutTheImage(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status) || absl::IsInternal(status);
}

std::optional<image::CropBox> CropOf(const index::Record& record) {
  if (!record.crop) return std::nullopt;
  image::CropBox box;
  box.x0 = record.crop->x0;
  box.y0 = record.crop->y0;
  box.x1 = record.crop->x1;
  box.y1 = record.crop->y1;
  box.unit = record.crop->in_pixels ? image::CropBox::Unit::kPixel : image::CropBox::Unit::kFraction;
  return box;
}

}  // namespace

absl::Status Reembedding::Open(const index::CollectionConfig& config) {
  index::CollectionConfig to = config;
  to.embedding_space = request_.embedding_space();
  if (request_.rollback()) {
    const auto other = database_.FindOtherSpace(config.name);
    if (!other || other->embedding_space != request_.embedding_space()) {
      return base::FailedPrecondition(
          "NO_PREVIOUS_SPACE",
          absl::StrCat("the space before of collection ", config.name, " is not kept any more. Embed it again."),
          {{"collection", config.name}});
    }
    to.model = other->model;
    to.descriptor_dim = other->descriptor_dim;
    const absl::StatusOr<ModelPtr> model = models_.Find(other->model);
    if (model.ok() && (*model)->info().embedding_space == request_.embedding_space()) model_ = *model;
  } else {
    absl::StatusOr<ModelPtr> model = models_.Find(request_.model());
    // One that was loaded by an RPC before the server was started again.
    if (!model.ok()) model = models_.Load(request_.model());
    SIGHTLINE_RETURN_IF_ERROR(model.status());
    model_ = *std::move(model);
    const model::ModelInfo& info = model_->info();
    if (info.embedding_space != request_.embedding_space()) {
      return base::FailedPrecondition(
          "MODEL_CHANGED",
          absl::StrCat("the model '", info.name, "' now embeds into space ", info.embedding_space,
                       ", but the other space of collection ", config.name, " is ", request_.embedding_space(),
                       ". Load the model meant, or drop the other space and start again."),
          {{"actual", info.embedding_space}, {"limit", request_.embedding_space()}});
    }
    to.model = info.name;
    to.token_space = config.drop_tokens ? "" : info.token_space;
    to.descriptor_dim = info.descriptor_dim;
  }
  SIGHTLINE_ASSIGN_OR_RETURN(transfer_, database_.OpenTransfer(to));
  return absl::OkStatus();
}

absl::Status Reembedding::Report() {
  const int64_t total = std::max(done_, transfer_->from()->Stats().images) + 1;
  return progress_(done_, total) ? absl::OkStatus() : CancelledByCaller();
}

absl::StatusOr<bool> Reembedding::IsThere(const index::Record& record) {
  index::Collection& to = *transfer_->to();
  absl::StatusOr<index::Record> there = to.Get(record.id, index::RecordView::kMetadata);
  if (absl::IsNotFound(there.status())) return false;
  SIGHTLINE_RETURN_IF_ERROR(there.status());
  if (there->revision == record.revision && there->update_time == record.update_time) return true;
  // Only its attributes can have changed when the bytes are the same; without a digest nobody can tell.
  if (record.sha256.empty() || there->sha256 != record.sha256 || there->crop != record.crop) return false;
  SIGHTLINE_ASSIGN_OR_RETURN(const index::Record image, to.Get(record.id, index::RecordView::kImage));
  SIGHTLINE_ASSIGN_OR_RETURN(index::Record whole, to.Get(record.id, index::RecordView::kVectors));
  whole.image = image.image;
  whole.attributes = record.attributes;
  whole.source_uri = record.source_uri;
  whole.revision = record.revision;
  whole.create_time = record.create_time;
  whole.update_time = record.update_time;
  std::vector<index::Record> one;
  one.push_back(std::move(whole));
  SIGHTLINE_RETURN_IF_ERROR(Write(std::move(one)));
  return true;
}

absl::Status Reembedding::Write(std::vector<index::Record> records) {
  index::Collection& to = *transfer_->to();
  for (int attempt = 0; !records.empty(); ++attempt) {
    Answers<absl::StatusOr<index::WriteResult>> answers(records.size());
    for (size_t i = 0; i < records.size(); ++i) {
      to.PutAsync({.record = records[i], .request_id = "", .copy = true},
                  [&answers, i](absl::StatusOr<index::WriteResult> result) { answers.Set(i, std::move(result)); });
    }
    while (!answers.WaitFor(kPoll)) {
    }
    std::vector<index::Record> again;
    for (size_t i = 0; i < records.size(); ++i) {
      const absl::StatusOr<index::WriteResult> result = answers.Take(i);
      if (!result.ok() && base::GetErrorInfo(result.status()).reason == kQueueFullReason) {
        again.push_back(std::move(records[i]));
        continue;
      }
      SIGHTLINE_RETURN_IF_ERROR(result.status());
      if (!result->replayed) continue;
      // A record of a later time than the collection's own: the clock was set back. The collection's counts.
      const std::string id = records[i].id;
      SIGHTLINE_RETURN_IF_ERROR(to.Delete(absl::MakeConstSpan(&id, 1)).status());
      again.push_back(std::move(records[i]));
    }
    records = std::move(again);
    if (records.empty()) break;
    SIGHTLINE_RETURN_IF_ERROR(Report());
    std::this_thread::sleep_for(kBusyWait);
  }
  return absl::OkStatus();
}

void Reembedding::TakeStandIn() {
  const absl::StatusOr<ModelPtr> found = models_.Find(model_->info().name);
  if (found.ok() && (*found)->info().embedding_space == model_->info().embedding_space) model_ = *found;
}

absl::Status Reembedding::EmbedAndWrite(std::vector<index::Record> records) {
  const base::Clock& clock = base::Clock::Real();
  const auto request = std::make_shared<Request>(clock, clock.Steady() + kEmbedTime);
  std::vector<size_t> waiting(records.size());
  for (size_t i = 0; i < records.size(); ++i) waiting[i] = i;
  const index::CollectionConfig config = transfer_->to()->config();
  std::vector<index::Record> ready;
  int lost_rounds = 0;
  while (!waiting.empty()) {
    bool lost = false;
    Answers<absl::StatusOr<EmbedResult>> answers(waiting.size());
    for (size_t i = 0; i < waiting.size(); ++i) {
      EmbedJob job;
      job.request = request;
      job.model = model_;
      job.image = records[waiting[i]].image;
      if (const auto crop = CropOf(records[waiting[i]])) job.crops.push_back(*crop);
      job.priority = Priority::kBulk;
      embedder_.Embed(std::move(job),
                      [&answers, i](absl::StatusOr<EmbedResult> result) { answers.Set(i, std::move(result)); });
    }
    bool cancelled = false;
    while (!answers.WaitFor(kPoll)) {
      if (cancelled || Report().ok()) continue;
      cancelled = true;
      request->Cancel();
    }
    if (cancelled) return CancelledByCaller();
    std::vector<size_t> busy;
    for (size_t i = 0; i < waiting.size(); ++i) {
      absl::StatusOr<EmbedResult> result = answers.Take(i);
      index::Record& record = records[waiting[i]];
      if (absl::IsResourceExhausted(result.status())) {
        busy.push_back(waiting[i]);
      } else if (base::GetErrorInfo(result.status()).reason == kDeviceLost && lost_rounds < kMostLostRounds) {
        busy.push_back(waiting[i]);
        lost = true;
      } else if (IsAboutTheImage(result.status())) {
        left_out_[record.id] = std::string(result.status().message());
      } else {
        SIGHTLINE_RETURN_IF_ERROR(result.status());
        model::Embedding& embedding = result->embeddings.front();
        record.descriptor = std::move(embedding.descriptor);
        if (!config.drop_tokens && model_->info().token_space == config.token_space) {
          record.tokens = FromModel(std::move(embedding.tokens));
        }
        ready.push_back(std::move(record));
      }
    }
    if (lost) {
      ++lost_rounds;
      TakeStandIn();
    }
    waiting = std::move(busy);
    if (waiting.empty()) break;
    SIGHTLINE_RETURN_IF_ERROR(Report());
    std::this_thread::sleep_for(kBusyWait);
  }
  embedded_ += static_cast<int64_t>(ready.size());
  return Write(std::move(ready));
}

bool Reembedding::Whitens() const {
  return model_ != nullptr && !model_->info().bare_space.empty() &&
         model_->info().bare_space == transfer_->from()->config().embedding_space;
}

absl::Status Reembedding::WhitenAndWrite(std::vector<index::Record> records) {
  const index::Collection& from = *transfer_->from();
  const std::string token_space = transfer_->to()->config().token_space;
  std::vector<index::Record> ready;
  for (const index::Record& record : records) {
    absl::StatusOr<index::Record> whole = from.Get(record.id, index::RecordView::kVectors);
    const absl::StatusOr<index::Record> image = from.Get(record.id, index::RecordView::kImage);
    // Deleted or written again since: it is among the changes.
    if (absl::IsNotFound(whole.status()) || absl::IsNotFound(image.status())) continue;
    SIGHTLINE_RETURN_IF_ERROR(whole.status());
    SIGHTLINE_RETURN_IF_ERROR(image.status());
    if (image->revision != whole->revision) continue;
    whole->image = image->image;
    whole->image_kind = image->image_kind;
    SIGHTLINE_ASSIGN_OR_RETURN(whole->descriptor, model_->model().Whiten(whole->descriptor));
    if (token_space != from.config().token_space) whole->tokens.reset();
    ready.push_back(*std::move(whole));
  }
  embedded_ += static_cast<int64_t>(ready.size());
  return Write(std::move(ready));
}

absl::Status Reembedding::CarryRecords(std::vector<index::Record> records) {
  const bool whitens = Whitens();
  const bool originals = !whitens && MayHold(transfer_->from()->config(), index::KeepImage::kOriginal);
  std::vector<index::Record> chunk;
  const auto flush = [&]() -> absl::Status {
    std::vector<index::Record> full = std::exchange(chunk, {});
    SIGHTLINE_RETURN_IF_ERROR(whitens ? WhitenAndWrite(std::move(full)) : EmbedAndWrite(std::move(full)));
    SIGHTLINE_KILL_POINT("reembed.chunk");
    return Report();
  };
  for (index::Record& record : records) {
    left_out_.erase(record.id);
    ++done_;
    SIGHTLINE_ASSIGN_OR_RETURN(const bool there, IsThere(record));
    if (there) continue;
    if (model_ == nullptr) {
      left_out_[record.id] = absl::StrCat("the model '", transfer_->to()->config().model, "' is not loaded");
      continue;
    }
    absl::StatusOr<index::Record> whole = originals ? transfer_->from()->Get(record.id, index::RecordView::kImage)
                                                    : absl::StatusOr<index::Record>(record);
    // Deleted since: it is among the changes.
    if (absl::IsNotFound(whole.status())) continue;
    SIGHTLINE_RETURN_IF_ERROR(whole.status());
    if (!whitens && (whole->image.empty() || whole->image_kind == index::KeepImage::kPreview)) {
      left_out_[record.id] = "no original is kept of it";
      continue;
    }
    chunk.push_back(*std::move(whole));
    if (chunk.size() == kChunk) SIGHTLINE_RETURN_IF_ERROR(flush());
  }
  return flush();
}

absl::Status Reembedding::CarryIds(const std::vector<std::string>& ids) {
  std::vector<index::Record> records;
  std::vector<std::string> gone;
  for (const std::string& id : ids) {
    absl::StatusOr<index::Record> record = transfer_->from()->Get(id, index::RecordView::kMetadata);
    if (absl::IsNotFound(record.status())) {
      left_out_.erase(id);
      gone.push_back(id);
    } else {
      SIGHTLINE_RETURN_IF_ERROR(record.status());
      records.push_back(*std::move(record));
    }
  }
  if (!gone.empty()) SIGHTLINE_RETURN_IF_ERROR(transfer_->to()->Delete(gone).status());
  return CarryRecords(std::move(records));
}

absl::Status Reembedding::CarryAll() {
  done_ = 0;
  std::string token;
  // What was deleted while nobody looked: before this run, or between two.
  do {
    SIGHTLINE_ASSIGN_OR_RETURN(index::RecordPage page,
                               transfer_->to()->List(kPageSize, token, index::RecordView::kMetadata, ""));
    std::vector<std::string> gone;
    for (const index::Record& record : page.records) {
      const absl::Status found = transfer_->from()->Get(record.id, index::RecordView::kMetadata).status();
      if (absl::IsNotFound(found)) {
        gone.push_back(record.id);
      } else {
        SIGHTLINE_RETURN_IF_ERROR(found);
      }
    }
    if (!gone.empty()) SIGHTLINE_RETURN_IF_ERROR(transfer_->to()->Delete(gone).status());
    SIGHTLINE_RETURN_IF_ERROR(Report());
    token = std::move(page.next_page_token);
  } while (!token.empty());
  do {
    SIGHTLINE_ASSIGN_OR_RETURN(index::RecordPage page,
                               transfer_->from()->List(kPageSize, token, index::RecordView::kMetadata, ""));
    SIGHTLINE_RETURN_IF_ERROR(CarryRecords(std::move(page.records)));
    token = std::move(page.next_page_token);
  } while (!token.empty());
  return absl::OkStatus();
}

absl::Status Reembedding::CarryChanges(size_t most) {
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<std::string> ids = transfer_->TakeChanges();
    SIGHTLINE_RETURN_IF_ERROR(CarryIds(ids));
    if (ids.size() <= most) break;
  }
  return absl::OkStatus();
}

absl::Status Reembedding::CheckComplete() const {
  if (left_out_.empty() || request_.allow_partial()) return absl::OkStatus();
  std::vector<std::string> ids;
  for (const auto& [id, reason] : left_out_) {
    if (ids.size() < kNamedLeftOut) ids.push_back(id);
  }
  const auto& [id, reason] = *left_out_.begin();
  return base::FailedPrecondition(
      "IMAGES_NOT_EMBEDDED",
      absl::StrCat(left_out_.size(), " images of collection ", transfer_->from()->config().name,
                   " could not be embedded again, such as '", id, "' (", reason,
                   "), and nothing was swapped. Send them again with the model '", transfer_->to()->config().model,
                   "' set and start again, or allow a partial swap."),
      {{"left_out", absl::StrCat(left_out_.size())}, {"ids", absl::StrJoin(ids, "\n")}});
}

v1::ReembedCollectionResult Reembedding::Result(const index::Collection& collection) const {
  v1::ReembedCollectionResult result;
  ToProto(collection, result.mutable_collection());
  result.set_embedded(embedded_);
  result.set_left_out(static_cast<int64_t>(left_out_.size()));
  for (const auto& [id, reason] : left_out_) {
    if (result.left_out_images_size() == kShownLeftOut) break;
    v1::ReembedCollectionResult::LeftOut* one = result.add_left_out_images();
    one->set_id(id);
    one->set_reason(reason);
  }
  return result;
}

absl::StatusOr<v1::ReembedCollectionResult> Reembedding::Run() {
  SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, database_.Find(request_.name()));
  // The server was stopped after the swap and before it could say so.
  if (collection->config().embedding_space == request_.embedding_space()) return Result(*collection);
  SIGHTLINE_RETURN_IF_ERROR(Open(collection->config()));
  const int hours = request_.keep_old_hours() == 0 ? kDefaultKeepHours : request_.keep_old_hours();
  for (int attempt = 0; attempt < kSwapTries; ++attempt) {
    SIGHTLINE_RETURN_IF_ERROR(CarryAll());
    SIGHTLINE_RETURN_IF_ERROR(CarryChanges(kFewChanges));
    SIGHTLINE_RETURN_IF_ERROR(CheckComplete());
    SIGHTLINE_KILL_POINT("reembed.filled");
    // Searches are to be as fast after the swap as before it.
    if (attempt == 0) {
      SIGHTLINE_RETURN_IF_ERROR(transfer_->to()->Optimize({}, [this](int64_t, int64_t) { return Report().ok(); }));
      SIGHTLINE_RETURN_IF_ERROR(CarryChanges(kFewChanges));
    }
    const absl::Status swapped =
        transfer_->Swap(base::Clock::Real().Now() + absl::Hours(hours), [this]() -> absl::Status {
          const std::vector<std::string> ids = transfer_->TakeChanges();
          if (ids.size() > kMostChanges) return NotSettled();
          SIGHTLINE_RETURN_IF_ERROR(CarryIds(ids));
          SIGHTLINE_RETURN_IF_ERROR(CheckComplete());
          const int64_t expected = transfer_->from()->Stats().images - static_cast<int64_t>(left_out_.size());
          return transfer_->to()->Stats().images == expected ? absl::OkStatus() : NotSettled();
        });
    if (swapped.ok()) {
      ++done_;
      SIGHTLINE_ASSIGN_OR_RETURN(const auto now, database_.Find(request_.name()));
      return Result(*now);
    }
    if (base::GetErrorInfo(swapped).reason != base::GetErrorInfo(NotSettled()).reason) return swapped;
  }
  return base::RetryableError(absl::StatusCode::kUnavailable, "WRITES_TOO_FAST",
                              absl::StrCat("images are written to collection ", request_.name(),
                                           " faster than they can be embedded again. Start again when fewer come."),
                              absl::Minutes(5), {{"collection", request_.name()}});
}

}  // namespace sightline::server
