#include "index/gpu/faiss_lists.h"

#include <faiss/Index.h>
#include <faiss/IndexIVF.h>

#include <algorithm>
#include <exception>
#include <new>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "base/status.h"

namespace sightline::index::gpu {
namespace {

// A row's values in half precision and its number, and half as much again, because lists grow by doubling.
int64_t BytesOf(size_t dim, size_t rows) { return static_cast<int64_t>((2 * dim + sizeof(int64_t)) * rows * 3 / 2); }

absl::Status FaissStatus(const std::exception& error, absl::string_view what) {
  const absl::string_view said = error.what();
  // All that tells it from other failures is what FAISS says.
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr || absl::StrContains(said, "memory allocation error") ||
      absl::StrContains(said, "out of memory")) {
    return base::Error(
        absl::StatusCode::kResourceExhausted, "CARD_FULL",
        absl::StrCat("FAISS found no memory in ", what, ": ", said, " Give the card less to hold, or a larger card."));
  }
  return base::Error(absl::StatusCode::kInternal, "FAISS_FAILED",
                     absl::StrCat("FAISS failed in ", what, ": ", said, " Report this; the CPU goes on."));
}

class FaissDevice : public ListDevice, public std::enable_shared_from_this<FaissDevice> {
 public:
  FaissDevice(std::shared_ptr<Card> card, MakeFaissIndex make) : card_(std::move(card)), make_(std::move(make)) {}

  const std::shared_ptr<Card>& card() const override { return card_; }
  absl::StatusOr<std::shared_ptr<CardLists>> MakeLists(size_t dim, absl::Span<const float> centroids,
                                                       uint32_t rows) override;

  // FAISS's indexes on a card share memory that they work with.
  base::Mutex& mutex() ABSL_LOCK_RETURNED(mutex_) { return mutex_; }

 private:
  const std::shared_ptr<Card> card_;
  const MakeFaissIndex make_;
  base::Mutex mutex_;
};

class FaissLists : public CardLists {
 public:
  FaissLists(std::shared_ptr<FaissDevice> device, FaissIndex index, CardMemory memory, size_t dim, size_t lists,
             uint32_t rows)
      : device_(std::move(device)), index_(std::move(index)), dim_(dim), lists_(lists), room_(rows) {
    memory_.push_back(std::move(memory));
  }
  ~FaissLists() override {
    base::MutexLock lock(device_->mutex());
    index_.lists.reset();
    index_.centroids.reset();
  }

  absl::Status Append(absl::Span<const uint32_t> rows, const float* values) override {
    if (rows_ + rows.size() > room_) {
      SIGHTLINE_ASSIGN_OR_RETURN(CardMemory more,
                                 Card::Reserve(device_->card(), CardUse::kRows, BytesOf(dim_, rows.size())));
      memory_.push_back(std::move(more));
      room_ += rows.size();
    }
    const std::vector<int64_t> numbers(rows.begin(), rows.end());
    base::MutexLock lock(device_->mutex());
    try {
      index_.lists->add_with_ids(static_cast<int64_t>(numbers.size()), values, numbers.data());
    } catch (const std::exception& error) {
      return FaissStatus(error, "adding rows to inverted lists");
    }
    rows_ += rows.size();
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<ScoredRow>> Best(const Query& query) const override {
    std::vector<float> scores(query.wanted);
    std::vector<int64_t> numbers(query.wanted);
    faiss::SearchParametersIVF parameters;
    parameters.nprobe = std::min(query.nprobe, lists_);
    {
      base::MutexLock lock(device_->mutex());
      try {
        index_.lists->search(1, query.values, static_cast<int64_t>(query.wanted), scores.data(), numbers.data(),
                             &parameters);
      } catch (const std::exception& error) {
        return FaissStatus(error, "a search of inverted lists");
      }
    }
    std::vector<ScoredRow> best;
    best.reserve(query.wanted);
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (numbers[i] >= 0) best.push_back({scores[i], static_cast<uint64_t>(numbers[i])});
    }
    std::sort(best.begin(), best.end(), Better);
    return best;
  }

  int64_t bytes() const override { return BytesOf(dim_, room_); }

 private:
  const std::shared_ptr<FaissDevice> device_;
  FaissIndex index_;
  const size_t dim_;
  const size_t lists_;
  // Append's.
  std::vector<CardMemory> memory_;
  size_t room_;
  size_t rows_ = 0;
};

absl::StatusOr<std::shared_ptr<CardLists>> FaissDevice::MakeLists(size_t dim, absl::Span<const float> centroids,
                                                                  uint32_t rows) {
  const size_t lists = centroids.size() / dim;
  SIGHTLINE_ASSIGN_OR_RETURN(
      CardMemory memory, Card::Reserve(card_, CardUse::kRows,
                                       BytesOf(dim, rows) + static_cast<int64_t>(centroids.size() * sizeof(float))));
  FaissIndex index;
  {
    base::MutexLock lock(mutex_);
    try {
      index = make_(dim, centroids);
    } catch (const std::exception& error) {
      return FaissStatus(error, "making inverted lists");
    }
  }
  return std::make_shared<FaissLists>(shared_from_this(), std::move(index), std::move(memory), dim, lists, rows);
}

}  // namespace

std::shared_ptr<ListDevice> MakeFaissLists(std::shared_ptr<Card> card, MakeFaissIndex make) {
  return std::make_shared<FaissDevice>(std::move(card), std::move(make));
}

}  // namespace sightline::index::gpu
