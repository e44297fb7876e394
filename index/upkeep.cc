#include "index/upkeep.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "base/status.h"
#include "index/centroids.h"

namespace sightline::index {
namespace {

// Rows linked, copied and moved to a card in one step: a few milliseconds each.
constexpr uint32_t kLinkedPerStep = 256;
constexpr uint32_t kCopiedPerStep = 1024;
constexpr uint32_t kMovedPerStep = 1024;
// So few are copied while writes wait.
constexpr int64_t kCopiedAtTheEnd = 1024;
// A graph is saved when it has grown by this share of what was saved, so that all saving costs a fixed share of
// building.
constexpr double kGrowthBetweenSaves = 0.25;
constexpr absl::Duration kRetryAfter = absl::Seconds(5);
// How long who waits for another's Optimize does not ask whether it is to go on waiting.
constexpr std::chrono::milliseconds kAskWhileWaiting{100};

absl::Status OptimizeCancelled() {
  return base::Error(absl::StatusCode::kCancelled, "CANCELLED",
                     "optimising was cancelled; what was done stays. Start it again to finish it.");
}

bool Contains(const SegmentList::Segments& segments, const std::shared_ptr<Segment>& segment) {
  return std::find(segments.begin(), segments.end(), segment) != segments.end();
}

// The greatest key there is so far.
uint64_t LastKeyOf(const SegmentList::Segments& segments) {
  uint64_t last = 0;
  for (const auto& segment : segments) last = std::max(last, segment->last_key());
  return last;
}

}  // namespace

Upkeep::Upkeep(const Context& context, const Files& files, Known known)
    : context_(context),
      files_(files),
      device_(context.device),
      next_file_(known.next_file),
      links_(std::move(known.links)),
      centroids_(known.centroids) {
  base::MutexLock step(step_mutex_);
  SetQuantizers(std::move(known.quantizers));
  CountLinks();
}

Upkeep::~Upkeep() { Stop(/*orderly=*/false); }

std::string Upkeep::PathOf(const std::string& name) const { return absl::StrCat(context_.folder, "/", name); }

void Upkeep::SetDevice(IndexDevice device) {
  device_.store(device);
  Wake();
}

// ---- When

void Upkeep::Wake() {
  if (context_.pool == nullptr || stopping_.load()) return;
  {
    base::MutexLock lock(mutex_);
    again_ = true;
    if (scheduled_) return;
    scheduled_ = true;
  }
  // A full queue loses nothing: the next write wakes again.
  if (context_.pool->TrySubmit([this] { Run(); })) return;
  base::MutexLock lock(mutex_);
  scheduled_ = false;
  idle_.NotifyAll();
}

void Upkeep::Run() {
  {
    base::MutexLock lock(mutex_);
    again_ = false;
  }
  bool more = false;
  if (!stopping_.load()) {
    base::MutexLock step(step_mutex_);
    if (absl::Now() >= retry_at_) {
      const absl::StatusOr<bool> done = Step({});
      if (done.ok()) {
        more = *done;
      } else {
        retry_at_ = absl::Now() + kRetryAfter;
        base::Log(base::Severity::kWarning, "upkeep failed; it is tried again",
                  {{"collection", context_.collection}, {"reason", std::string(done.status().message())}});
      }
    }
  }
  {
    base::MutexLock lock(mutex_);
    more = (more || again_) && !stopping_.load();
    if (!more) {
      scheduled_ = false;
      idle_.NotifyAll();
      return;
    }
  }
  // Other collections get their turn between two steps.
  if (context_.pool->TrySubmit([this] { Run(); })) return;
  base::MutexLock lock(mutex_);
  scheduled_ = false;
  idle_.NotifyAll();
}

void Upkeep::Stop(bool orderly) {
  stopping_.store(true);
  {
    base::MutexLock lock(mutex_);
    while (scheduled_) idle_.Wait(mutex_);
  }
  // An Optimize may be in a step still.
  base::MutexLock step(step_mutex_);
  if (!orderly) return;
  DropReplacement();
  const auto segments = context_.segments.segments();
  const uint64_t until = LastKeyOf(*segments);
  absl::Status status;
  while (status.ok()) {
    absl::StatusOr<bool> sealed = SealOne(*segments, until);
    if (sealed.ok() && !*sealed) sealed = SaveOne(*segments, /*all=*/true);
    status = sealed.status();
    if (sealed.ok() && !*sealed) break;
  }
  if (!status.ok()) {
    base::Log(base::Severity::kWarning, "not everything was saved; the next start does it again",
              {{"collection", context_.collection}, {"reason", std::string(status.message())}});
  }
}

absl::Status Upkeep::ReportTo(const Progress& progress) const {
  int64_t done = 0, total = 0;
  const auto segments = context_.segments.segments();
  for (const auto& segment : *segments) {
    total += segment->rows();
    done += context_.policy.WantsLinks(segment->live()) ? segment->linked_rows() : segment->rows();
  }
  if (!progress || progress(done, total)) return GoOn();
  return OptimizeCancelled();
}

absl::Status Upkeep::GoOn() const { return stopping_.load() ? OptimizeCancelled() : absl::OkStatus(); }

absl::Status Upkeep::FinishAll(const Progress& progress) {
  const auto segments = context_.segments.segments();
  const Goals goals{.all = true, .until = LastKeyOf(*segments), .replaceable = segments};
  for (bool more = true; more;) {
    SIGHTLINE_RETURN_IF_ERROR(ReportTo(progress));
    // Between two steps a background one may come in: nothing is lost by it.
    base::MutexLock step(step_mutex_);
    SIGHTLINE_RETURN_IF_ERROR(GoOn());
    SIGHTLINE_ASSIGN_OR_RETURN(more, Step(goals));
  }
  return absl::OkStatus();
}

absl::Status Upkeep::Augment(const OptimizeOptions& options, const Progress& progress) {
  const bool wanted = options.augment_neighbours > 0;
  const auto transform = [this, options](uint64_t key, std::vector<float>* descriptor) {
    return context_.augment(options, key, descriptor);
  };
  // Background steps may replace segments, give up a replacement or begin another in between, so what is left to do is
  // looked up again after each.
  SegmentList::Segments done;
  while (true) {
    std::shared_ptr<Segment> target;
    {
      base::MutexLock step(step_mutex_);
      SIGHTLINE_RETURN_IF_ERROR(GoOn());
      const auto segments = context_.segments.segments();
      const auto next = std::find_if(segments->begin(), segments->end(), [&](const auto& segment) {
        return (wanted || segment->augmented()) && !Contains(done, segment);
      });
      if (next == segments->end()) return absl::OkStatus();
      DropReplacement();
      BeginReplacement({*next}, wanted, transform);
      target = replacement_->target();
    }
    for (bool more = true; more;) {
      const absl::Status wanted_still = ReportTo(progress);
      base::MutexLock step(step_mutex_);
      more = replacement_ != nullptr && replacement_->target() == target;
      if (!wanted_still.ok()) {
        if (more) DropReplacement();
        return wanted_still;
      }
      SIGHTLINE_RETURN_IF_ERROR(GoOn());
      if (more) SIGHTLINE_RETURN_IF_ERROR(AdvanceReplacement());
    }
    done.push_back(target);
  }
}

absl::Status Upkeep::AwaitTurn(const Progress& progress) {
  while (true) {
    SIGHTLINE_RETURN_IF_ERROR(ReportTo(progress));
    base::MutexLock lock(mutex_);
    if (!optimizing_) {
      optimizing_ = true;
      return absl::OkStatus();
    }
    idle_.WaitUntil(mutex_, std::chrono::steady_clock::now() + kAskWhileWaiting);
  }
}

absl::Status Upkeep::Optimize(const OptimizeOptions& options, const Progress& progress) {
  SIGHTLINE_RETURN_IF_ERROR(AwaitTurn(progress));
  const absl::Cleanup end_turn = [this] {
    base::MutexLock lock(mutex_);
    optimizing_ = false;
    idle_.NotifyAll();
  };
  SIGHTLINE_RETURN_IF_ERROR(FinishAll(progress));
  SIGHTLINE_RETURN_IF_ERROR(Augment(options, progress));
  return FinishAll(progress);
}

absl::StatusOr<bool> Upkeep::Step(const Goals& goals) {
  const auto segments = context_.segments.segments();
  SIGHTLINE_ASSIGN_OR_RETURN(bool done, SealOne(*segments, goals.all ? goals.until : 0));
  if (done) return true;
  // Seconds until they are searched there; links take minutes.
  const bool on_card = device_.load() == IndexDevice::kAuto;
  for (const auto& segment : *segments) {
    if (on_card ? !OfOtherKind(*segment) && segment->MoveToCard(kMovedPerStep) : segment->LeaveCard()) return true;
  }
  SIGHTLINE_ASSIGN_OR_RETURN(done, TrainLists(*segments));
  if (done) return true;
  // What has grown enough is saved before it grows on: building for minutes must not be lost to a crash.
  SIGHTLINE_ASSIGN_OR_RETURN(done, SaveOne(*segments, /*all=*/false));
  if (done) return true;
  SIGHTLINE_ASSIGN_OR_RETURN(done, GrowOne(*segments, goals.until));
  if (done) return true;
  if (goals.all) {
    SIGHTLINE_ASSIGN_OR_RETURN(done, SaveOne(*segments, /*all=*/true));
    if (done) return true;
  }
  return ReplaceOne(*segments, goals);
}

// ---- Files

absl::Status Upkeep::WriteManifest(const SegmentList::Segments& segments) {
  SegmentManifest manifest;
  manifest.next_file = next_file_;
  manifest.centroids = centroids_;
  for (const auto& segment : segments) {
    SegmentEntry entry;
    entry.chunks = segment->sealed_chunks();
    entry.augmented = segment->augmented();
    if (const auto it = links_.find(segment.get()); it != links_.end()) entry.links = it->second;
    if (!entry.chunks.empty()) manifest.segments.push_back(std::move(entry));
  }
  SIGHTLINE_KILL_POINT("segment.before_manifest");
  SIGHTLINE_RETURN_IF_ERROR(context_.store.WriteSegmentManifest(manifest));
  SIGHTLINE_KILL_POINT("segment.after_manifest");
  CountLinks();
  return absl::OkStatus();
}

void Upkeep::SetQuantizers(Quantizers quantizers) {
  quantizers_ = std::move(quantizers);
  int64_t bytes = 0;
  if (quantizers_.coarse != nullptr) bytes += quantizers_.coarse->memory_bytes();
  if (quantizers_.product != nullptr) bytes += quantizers_.product->memory_bytes();
  quantizer_bytes_.store(bytes, std::memory_order_relaxed);
}

void Upkeep::CountLinks() {
  int64_t bytes = 0;
  for (const auto& [segment, info] : links_) bytes += static_cast<int64_t>(info.bytes);
  if (centroids_) bytes += static_cast<int64_t>(centroids_->bytes);
  links_bytes_.store(bytes, std::memory_order_relaxed);
}

void Upkeep::RemoveFiles(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    // A file left behind is removed at the next start.
    if (const absl::Status removed = files_.Remove(PathOf(name)); !removed.ok()) {
      base::Log(base::Severity::kWarning, removed.message());
    }
  }
}

absl::Status Upkeep::Seal(Segment& segment, uint32_t chunk, bool name_it) {
  const uint64_t number = next_file_++;
  const std::string path = PathOf(ChunkFileName(number));
  SIGHTLINE_ASSIGN_OR_RETURN(ChunkFileInfo info, segment.WriteChunk(chunk, files_, path));
  info.number = number;
  const std::optional<ChunkFileInfo> before = segment.chunk_file(chunk);
  segment.SetChunkFile(chunk, info);
  if (name_it) {
    const absl::Status named = WriteManifest(*context_.segments.segments());
    if (!named.ok()) {
      segment.SetChunkFile(chunk, before);
      RemoveFiles({ChunkFileName(number)});
      return named;
    }
  }
  if (before) RemoveFiles({ChunkFileName(before->number)});
  SIGHTLINE_RETURN_IF_ERROR(segment.ReadFromFile(chunk, files_, path));
  if (segment.shape().map_codes) segment.MapSealedCodes(context_.folder);
  return absl::OkStatus();
}

absl::StatusOr<bool> Upkeep::SealOne(const SegmentList::Segments& segments, uint64_t partial_until) {
  for (const auto& segment : segments) {
    const std::optional<uint32_t> chunk = segment->ChunkToSeal(partial_until);
    if (!chunk) continue;
    SIGHTLINE_RETURN_IF_ERROR(Seal(*segment, *chunk, /*name_it=*/true));
    return true;
  }
  return false;
}

absl::StatusOr<bool> Upkeep::SaveOne(const SegmentList::Segments& segments, bool all) {
  for (const auto& segment : segments) {
    const auto saved = links_.find(segment.get());
    const uint32_t before = saved == links_.end() ? 0 : saved->second.rows;
    const uint32_t rows = std::min(segment->linked_rows(), segment->sealed_rows());
    if (rows <= before) continue;
    const double due = std::max<double>(before * (1 + kGrowthBetweenSaves), context_.options.chunk_rows);
    if (!all && rows < due) continue;
    LinksFileInfo info;
    info.number = next_file_++;
    info.rows = rows;
    const std::string path = PathOf(LinksFileName(info.number));
    SIGHTLINE_RETURN_IF_ERROR(segment->SaveLinks(rows, files_, path, &info));
    std::vector<std::string> unused;
    if (saved != links_.end()) unused.push_back(LinksFileName(saved->second.number));
    const auto kept = links_;
    links_[segment.get()] = info;
    if (const absl::Status named = WriteManifest(*context_.segments.segments()); !named.ok()) {
      links_ = kept;
      RemoveFiles({LinksFileName(info.number)});
      return named;
    }
    RemoveFiles(unused);
    return true;
  }
  return false;
}

// ---- Graphs and replacements

bool Upkeep::OfOtherKind(const Segment& segment) const {
  if (segment.rows() == 0) return false;
  const IndexKind kind = context_.policy.kind();
  return segment.shape().inverted != (kind == IndexKind::kIvf) ||
         (kind == IndexKind::kExact && segment.linked_rows() > 0);
}

absl::StatusOr<bool> Upkeep::TrainLists(const SegmentList::Segments& segments) {
  if (context_.policy.kind() != IndexKind::kIvf || centroids_) return false;
  int64_t rows = 0;
  for (const auto& segment : segments) rows += segment->live();
  const size_t lists = ListsFor(rows, context_.lists);
  if (lists == 0) return false;
  const int threads = context_.pool == nullptr ? 1 : context_.pool->threads();
  const auto stride = static_cast<int64_t>(segments.front()->codes().layout().stride);
  const bool product = rows * stride > context_.most_code_bytes && rows >= static_cast<int64_t>(kMinRowsOfProduct);
  SIGHTLINE_ASSIGN_OR_RETURN(const Quantizers quantizers,
                             TrainCentroids(segments, lists, product, threads, [this] { return stopping_.load(); }));
  LinksFileInfo info;
  info.number = next_file_++;
  SIGHTLINE_RETURN_IF_ERROR(SaveCentroids(quantizers, files_, PathOf(CentroidsFileName(info.number)), &info));
  centroids_ = info;
  if (const absl::Status named = WriteManifest(*context_.segments.segments()); !named.ok()) {
    centroids_.reset();
    RemoveFiles({CentroidsFileName(info.number)});
    return named;
  }
  SetQuantizers(quantizers);
  return true;
}

absl::StatusOr<bool> Upkeep::Grow(Segment& segment) {
  if (segment.linked_rows() == 0) {
    if (!context_.policy.WantsLinks(segment.live())) return false;
    if (quantizers_.coarse != nullptr) SIGHTLINE_RETURN_IF_ERROR(segment.SetQuantizers(quantizers_));
  }
  const bool grown = segment.GrowLinks(kLinkedPerStep, context_.pool);
  // Linked rows are searched by other codes than these, where memory is short.
  if (grown && segment.linked_rows() == segment.rows()) segment.MapSealedCodes(context_.folder);
  return grown;
}

absl::StatusOr<bool> Upkeep::GrowOne(const SegmentList::Segments& segments, uint64_t until) {
  for (const auto& segment : segments) {
    const uint32_t linked = segment->linked_rows();
    // What is about to be replaced is not worth it.
    if (OfOtherKind(*segment)) continue;
    if (linked == segment->rows() || segment->row_table().Key(linked) > until) continue;
    SIGHTLINE_ASSIGN_OR_RETURN(const bool grown, Grow(*segment));
    if (grown) return true;
  }
  return false;
}

absl::StatusOr<bool> Upkeep::ReplaceOne(const SegmentList::Segments& segments, const Goals& goals) {
  if (replacement_ == nullptr) {
    const double max_dead_share = goals.all ? 0 : context_.options.max_dead_share;
    SegmentList::Segments sources;
    for (const auto& segment : segments) {
      if (!OfOtherKind(*segment) || (goals.replaceable != nullptr && !Contains(*goals.replaceable, segment))) continue;
      sources = {segment};
      break;
    }
    if (sources.empty()) {
      sources = Replacement::Choose(segments, max_dead_share, context_.options.segment_rows, goals.replaceable.get());
    }
    if (sources.empty()) return false;
    const bool augmented = sources.front()->augmented();
    BeginReplacement(std::move(sources), augmented, nullptr);
  }
  SIGHTLINE_RETURN_IF_ERROR(AdvanceReplacement());
  return true;
}

void Upkeep::BeginReplacement(SegmentList::Segments sources, bool augmented, Replacement::Transform transform) {
  context_.segments.BeginReplacement();
  replacement_ =
      std::make_unique<Replacement>(std::move(sources), context_.make_segment(augmented), std::move(transform));
}

void Upkeep::DropReplacement() {
  if (replacement_ == nullptr) return;
  std::vector<std::string> unused;
  for (const ChunkFileInfo& chunk : replacement_->target()->sealed_chunks()) {
    unused.push_back(ChunkFileName(chunk.number));
  }
  replacement_.reset();
  context_.segments.AbandonReplacement();
  RemoveFiles(unused);
}

absl::Status Upkeep::AdvanceReplacement() {
  Segment& target = *replacement_->target();
  absl::Status status;
  if (const std::optional<uint32_t> chunk = target.ChunkToSeal(/*partial_until=*/0)) {
    status = Seal(target, *chunk, /*name_it=*/false);
  } else if (replacement_->left() > kCopiedAtTheEnd) {
    status = replacement_->Copy(kCopiedPerStep).status();
  } else {
    const absl::StatusOr<bool> grown = Grow(target);
    status = grown.status();
    if (grown.ok() && *grown) return absl::OkStatus();
    if (status.ok()) status = Finish(*replacement_);
    if (status.ok()) replacement_.reset();
  }
  if (!status.ok()) DropReplacement();
  // What has outgrown its target is not chosen together again.
  return absl::IsAborted(status) ? absl::OkStatus() : status;
}

absl::Status Upkeep::Finish(Replacement& replacement) {
  const std::shared_ptr<Segment>& target = replacement.target();
  std::vector<std::string> unused;
  for (const auto& source : replacement.sources()) {
    for (const ChunkFileInfo& chunk : source->sealed_chunks()) unused.push_back(ChunkFileName(chunk.number));
    if (const auto it = links_.find(source.get()); it != links_.end()) {
      unused.push_back(LinksFileName(it->second.number));
    }
  }
  const auto finish = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    absl::StatusOr<bool> more = true;
    while (more.ok() && *more) more = replacement.Copy(kCopiedPerStep);
    SIGHTLINE_RETURN_IF_ERROR(more.status());
    SegmentList::Segments next;
    bool last = false;
    const auto segments = context_.segments.segments();
    for (const auto& segment : *segments) {
      const auto& sources = replacement.sources();
      last = Contains(sources, segment);
      if (segment == sources.front()) next.push_back(target);
      if (!last) next.push_back(segment);
    }
    if (!last) {
      // Nothing will be appended to it any more.
      target->CloseChunk();
      if (const auto chunk = target->ChunkToSeal(/*partial_until=*/0)) {
        SIGHTLINE_RETURN_IF_ERROR(Seal(*target, *chunk, /*name_it=*/false));
      }
    }
    return WriteManifest(next);
  };
  SIGHTLINE_RETURN_IF_ERROR(context_.segments.Replace(replacement.sources(), target, finish));
  SIGHTLINE_KILL_POINT("segment.replaced");
  for (const auto& source : replacement.sources()) links_.erase(source.get());
  CountLinks();
  RemoveFiles(unused);
  return absl::OkStatus();
}

}  // namespace sightline::index
