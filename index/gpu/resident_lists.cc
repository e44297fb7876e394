#include "index/gpu/resident_lists.h"

#include <algorithm>
#include <utility>

#include "absl/time/time.h"

namespace sightline::index::gpu {
namespace {

// Trying again moves everything there again.
constexpr absl::Duration kTryAgainAfter = absl::Minutes(10);

// Asked for beyond what is wanted: an eighth, and so many, for rows that have died.
constexpr size_t kMoreWanted = 16;

}  // namespace

ResidentLists::ResidentLists(std::shared_ptr<ListDevice> device, size_t dim)
    : device_(std::move(device)), dim_(dim), refusal_(*device_->card(), kTryAgainAfter) {}

std::shared_ptr<ResidentLists::View> ResidentLists::view() const {
  base::MutexLock lock(mutex_);
  return view_;
}

void ResidentLists::SetView(std::shared_ptr<View> view) {
  base::MutexLock lock(mutex_);
  view_.swap(view);
}

RowsOnCard ResidentLists::on_card() const {
  const std::shared_ptr<const View> now = view();
  return now == nullptr ? RowsOnCard() : RowsOnCard{.rows = now->rows, .bytes = now->bytes};
}

// ---- Moving

bool ResidentLists::Advance(const CoarseQuantizer& quantizer, uint32_t linked, const RowTable& table,
                            absl::FunctionRef<absl::Status(uint32_t row, float* out)> read, uint32_t most) {
  if (device_->card()->lost()) {
    Leave();
    return false;
  }
  std::shared_ptr<View> now = view();
  if (now == nullptr) {
    if (!Begin(quantizer, linked)) return false;
    now = view();
  }
  const uint32_t begin = now->covered.load(std::memory_order_relaxed);
  const uint32_t end = std::min(linked, begin + most);
  if (begin >= end) {
    values_ = {};
    return false;
  }
  values_.resize(size_t{end - begin} * dim_);
  numbers_.clear();
  uint64_t clock = now->clock.load(std::memory_order_relaxed);
  for (uint32_t row = begin; row < end; ++row) {
    if (const uint64_t died_at = table.DiedAt(row); died_at != RowTable::kAlive) {
      clock = std::max(clock, died_at);
      continue;
    }
    if (!read(row, values_.data() + numbers_.size() * dim_).ok()) {
      // The CPU knows what to say about a row that cannot be read.
      never_ = true;
      Leave();
      return true;
    }
    numbers_.push_back(row);
  }
  if (!numbers_.empty()) {
    if (const absl::Status appended = now->lists->Append(numbers_, values_.data()); !appended.ok()) {
      now.reset();
      GiveUp(appended);
      return true;
    }
  }
  now->clock.store(clock, std::memory_order_relaxed);
  now->covered.store(end, std::memory_order_release);
  now->rows.fetch_add(static_cast<int64_t>(numbers_.size()), std::memory_order_relaxed);
  now->bytes.store(now->lists->bytes(), std::memory_order_relaxed);
  return true;
}

bool ResidentLists::Leave() {
  values_ = {};
  if (view() == nullptr) return false;
  SetView(nullptr);
  return true;
}

bool ResidentLists::Begin(const CoarseQuantizer& quantizer, uint32_t linked) {
  if (never_ || linked == 0 || !refusal_.MayAsk()) return false;
  absl::StatusOr<std::shared_ptr<CardLists>> lists = device_->MakeLists(dim_, quantizer.Centroids(), linked);
  if (!lists.ok()) {
    GiveUp(lists.status());
    return false;
  }
  auto next = std::make_shared<View>();
  next->lists = *std::move(lists);
  next->bytes = next->lists->bytes();
  SetView(std::move(next));
  return true;
}

void ResidentLists::GiveUp(const absl::Status& why) {
  Leave();
  device_->card()->Failed(why);
  if (why.code() != absl::StatusCode::kResourceExhausted) {
    never_ = true;
    return;
  }
  refusal_.Note();
}

// ---- Searching

std::optional<ResidentLists::Found> ResidentLists::Best(const Query& query) const {
  const std::shared_ptr<const View> now = view();
  Card& card = *device_->card();
  if (now == nullptr || card.lost()) return std::nullopt;
  if (query.wanted > ListDevice::kMostWanted || query.nprobe > ListDevice::kMostProbed) return std::nullopt;
  Found found;
  found.covered = now->covered.load(std::memory_order_acquire);
  if (found.covered + kMostBehind < query.linked || query.clock < now->clock.load(std::memory_order_relaxed)) {
    return std::nullopt;
  }
  for (size_t ask = query.wanted + query.wanted / 8 + kMoreWanted;; ask *= 2) {
    ask = std::min(ask, ListDevice::kMostWanted);
    absl::StatusOr<std::vector<ScoredRow>> best =
        now->lists->Best({.values = query.values, .wanted = ask, .nprobe = query.nprobe});
    if (!best.ok()) {
      card.Failed(best.status());
      return std::nullopt;
    }
    found.best.clear();
    for (const ScoredRow& row : *best) {
      // Rows that come meanwhile may be found already; they are compared with the others behind `covered`.
      if (row.row < found.covered && query.visible(static_cast<uint32_t>(row.row))) found.best.push_back(row);
    }
    if (found.best.size() >= query.wanted || best->size() < ask) {
      if (found.best.size() > query.wanted) found.best.resize(query.wanted);
      card.CountScan();
      return found;
    }
    if (ask == ListDevice::kMostWanted) return std::nullopt;
  }
}

}  // namespace sightline::index::gpu
