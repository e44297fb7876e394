#include "index/gpu/resident_rows.h"

#include <algorithm>
#include <utility>

#include "absl/time/time.h"
#include "base/status.h"
#include "index/filter/bitmap.h"
#include "index/gpu/certified_scan.h"

namespace sightline::index::gpu {
namespace {

// The dead are hidden again when so many more have died, and beside a share of the rows: each costs a search a place
// among those it asks the card for.
constexpr int64_t kDeathsToHide = 16;
constexpr int64_t kRowsPerDeathToHide = 16'384;

constexpr absl::Duration kAskAgainAfter = absl::Seconds(30);

constexpr uint32_t kWordBits = 64;

bool IsNoRoom(const absl::Status& status) { return status.code() == absl::StatusCode::kResourceExhausted; }

}  // namespace

ResidentRows::ResidentRows(std::shared_ptr<RowDevice> device, size_t dim, uint32_t chunk_rows)
    : device_(std::move(device)), dim_(dim), chunk_rows_(chunk_rows), refusal_(*device_->card(), kAskAgainAfter) {}

std::shared_ptr<const ResidentRows::View> ResidentRows::view() const {
  base::MutexLock lock(mutex_);
  return view_;
}

void ResidentRows::SetView(std::shared_ptr<const View> view) {
  base::MutexLock lock(mutex_);
  view_.swap(view);
}

RowsOnCard ResidentRows::on_card() const {
  const std::shared_ptr<const View> now = view();
  return now == nullptr ? RowsOnCard() : RowsOnCard{.rows = now->most, .bytes = now->bytes};
}

// ---- Moving

bool ResidentRows::Advance(absl::Span<const uint32_t> sealed, const RowTable& table, int64_t dead,
                           absl::FunctionRef<absl::Status(uint32_t row, float* out)> read, uint32_t most) {
  if (device_->card()->lost()) {
    Leave();
    return false;
  }
  if (growing_ != nullptr || Begin(sealed)) return Grow(table, dead, read, most);
  const int64_t rows_there = on_card().rows;
  const bool to_hide = rows_there > 0 && dead - hidden_at_ >= kDeathsToHide + rows_there / kRowsPerDeathToHide;
  if (!to_hide && !(stale_ && refusal_.MayAsk())) return false;
  Show(table, dead);
  return true;
}

bool ResidentRows::Leave() {
  bool were_there = growing_ != nullptr;
  growing_.reset();
  values_ = {};
  for (uint32_t chunk = 0; chunk < places_.size(); ++chunk) {
    if (places_[chunk] != Place::kCard) continue;
    places_[chunk] = Place::kCpu;
    blocks_[chunk].reset();
    were_there = true;
  }
  stale_ = false;
  SetView(nullptr);
  return were_there;
}

// The next chunk that is not on the card; false when there is none, or no room.
bool ResidentRows::Begin(absl::Span<const uint32_t> sealed) {
  if (!refusal_.MayAsk()) return false;
  places_.resize(std::max(places_.size(), sealed.size()), Place::kCpu);
  chunk_sizes_.resize(places_.size());
  blocks_.resize(places_.size());
  for (uint32_t chunk = 0; chunk < sealed.size(); ++chunk) {
    if (sealed[chunk] == 0 || places_[chunk] != Place::kCpu) continue;
    absl::StatusOr<std::unique_ptr<RowBlock>> block = device_->MakeBlock(dim_, sealed[chunk]);
    if (!block.ok()) {
      device_->card()->Failed(block.status());
      if (IsNoRoom(block.status())) {
        refusal_.Note();
        return false;
      }
      places_[chunk] = Place::kNever;
      continue;
    }
    growing_ = *std::move(block);
    growing_chunk_ = chunk;
    growing_size_ = sealed[chunk];
    grown_ = 0;
    return true;
  }
  return false;
}

bool ResidentRows::Grow(const RowTable& table, int64_t dead,
                        absl::FunctionRef<absl::Status(uint32_t row, float* out)> read, uint32_t most) {
  const uint32_t count = std::min(growing_size_ - grown_, most);
  values_.resize(size_t{count} * dim_);
  absl::Status status;
  for (uint32_t i = 0; i < count && status.ok(); ++i) {
    status = read(growing_chunk_ * chunk_rows_ + grown_ + i, values_.data() + i * dim_);
  }
  if (!status.ok()) {
    // The CPU knows what to say about a row that cannot be read.
    growing_.reset();
    places_[growing_chunk_] = Place::kNever;
    return true;
  }
  if (const absl::Status appended = growing_->Append(values_.data(), count); !appended.ok()) {
    growing_.reset();
    device_->card()->Failed(appended);
    if (IsNoRoom(appended)) {
      refusal_.Note();
    } else {
      places_[growing_chunk_] = Place::kNever;
    }
    return true;
  }
  grown_ += count;
  if (grown_ < growing_size_) return true;
  places_[growing_chunk_] = Place::kCard;
  chunk_sizes_[growing_chunk_] = growing_size_;
  blocks_[growing_chunk_] = std::move(growing_);
  values_ = {};
  Show(table, dead);
  return true;
}

// Lets searches use what is there now.
void ResidentRows::Show(const RowTable& table, int64_t dead) {
  auto next = std::make_shared<View>();
  next->end = static_cast<uint32_t>(blocks_.size()) * chunk_rows_;
  next->visible.resize((next->end + kWordBits - 1) / kWordBits);
  // Before the rows are looked at: whoever dies meanwhile is counted again.
  hidden_at_ = dead;
  for (uint32_t chunk = 0; chunk < blocks_.size(); ++chunk) {
    if (places_[chunk] != Place::kCard) continue;
    const uint32_t begin = chunk * chunk_rows_, end = begin + chunk_sizes_[chunk];
    for (uint32_t row = begin; row < end; ++row) {
      const uint64_t died_at = table.DiedAt(row);
      if (died_at == RowTable::kAlive) {
        next->visible[row / kWordBits] |= uint64_t{1} << row % kWordBits;
      } else {
        next->clock = std::max(next->clock, died_at);
      }
    }
    // What a chunk leaves unused is nobody's, and counts as compared.
    const uint32_t whole = begin + chunk_rows_;
    if (!next->on_card.empty() && next->on_card.back().end == begin) {
      next->on_card.back().end = whole;
    } else {
      next->on_card.push_back({begin, whole});
    }
    next->most += chunk_sizes_[chunk];
    next->bytes += blocks_[chunk]->bytes();
  }
  absl::StatusOr<std::shared_ptr<const RowView>> rows = device_->MakeView(blocks_, chunk_rows_, next->visible);
  stale_ = !rows.ok();
  if (stale_) {
    // Searches go on with what they had.
    device_->card()->Failed(rows.status());
    refusal_.Note();
    return;
  }
  next->rows = *std::move(rows);
  SetView(std::move(next));
}

// ---- Searching

std::optional<ScanResult> ResidentRows::Scan(const Scope& scope, const ScanRequest& request, RowSource& source,
                                             const ScanRun& run, std::vector<RowRange>* left) const {
  const std::shared_ptr<const View> now = view();
  Card& card = *device_->card();
  if (now == nullptr || card.lost() || scope.clock < now->clock) return std::nullopt;
  if (std::min(now->most, scope.rows) < device_->min_rows()) return std::nullopt;
  const uint32_t end = std::min(scope.rows, now->end);
  RowBits bits;
  if (scope.matching != nullptr) {
    if (scope.matching->cardinality() < device_->min_rows()) return std::nullopt;
    ToRowBits(*scope.matching, end, bits);
    for (size_t i = 0; i < bits.words.size(); ++i) bits.words[i] &= now->visible[i];
  }
  absl::StatusOr<ScanResult> found = CertifiedScan(*now->rows, dim_, end, bits.words, request, source, run);
  if (!found.ok()) {
    if (IsNotCertified(found.status())) {
      card.CountUncertified();
    } else {
      card.Failed(found.status());
    }
    return std::nullopt;
  }
  card.CountScan();
  left->clear();
  uint32_t at = 0;
  for (const RowRange& range : now->on_card) {
    const uint32_t begin = std::min(range.begin, end), until = std::min(range.end, end);
    if (at < begin) left->push_back({at, begin});
    found->compared += until - begin;
    at = std::max(at, until);
  }
  if (at < scope.rows) left->push_back({at, scope.rows});
  return *std::move(found);
}

}  // namespace sightline::index::gpu
