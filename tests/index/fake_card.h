// FakeRowDevice and FakeListDevice: a card that is none: its rows are compared one by one on the CPU. It breaks when
// told.
//
// Threading: as RowDevice and ListDevice. Ownership: likewise; views and lists must not outlive it. Failure: CARD_LOST
// while `broken`.
#ifndef SIGHTLINE_TESTS_INDEX_FAKE_CARD_H_
#define SIGHTLINE_TESTS_INDEX_FAKE_CARD_H_

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "index/gpu/list_device.h"
#include "index/gpu/row_device.h"
#include "index/kernels/float16.h"

namespace sightline::index {

class FakeRowBlock : public gpu::RowBlock {
 public:
  FakeRowBlock(size_t dim, gpu::CardMemory memory, int64_t bytes)
      : dim_(dim), memory_(std::move(memory)), bytes_(bytes) {
    errors_.rounding = static_cast<double>(dim) * 0x1p-22;
  }

  absl::Status Append(const float* values, uint32_t count) override {
    for (uint32_t row = 0; row < count; ++row) {
      double residual = 0;
      for (size_t i = 0; i < dim_; ++i) {
        const float value = values[row * dim_ + i];
        values_.push_back(kernels::FloatFromFloat16(kernels::Float16FromFloat(value)));
        residual += std::pow(static_cast<double>(value) - values_.back(), 2);
      }
      errors_.residual = std::max(errors_.residual, std::sqrt(residual) * 1.000001);
    }
    errors_.norm = 1.000001;
    return absl::OkStatus();
  }

  const gpu::RowErrors& errors() const override { return errors_; }
  int64_t bytes() const override { return bytes_; }
  float Score(const float* query, uint32_t row) const {
    float sum = 0;
    for (size_t i = 0; i < dim_; ++i) sum += query[i] * values_[row * dim_ + i];
    return sum;
  }

 private:
  const size_t dim_;
  const gpu::CardMemory memory_;
  const int64_t bytes_;
  std::vector<float> values_;
  gpu::RowErrors errors_;
};

class FakeRowView : public gpu::RowView {
 public:
  FakeRowView(std::vector<std::shared_ptr<const gpu::RowBlock>> blocks, uint32_t block_rows,
              absl::Span<const uint64_t> visible, const std::atomic<bool>& broken)
      : blocks_(std::move(blocks)), block_rows_(block_rows), visible_(visible.begin(), visible.end()), broken_(broken) {
    for (const auto& block : blocks_) {
      if (block == nullptr) continue;
      errors_.residual = std::max(errors_.residual, block->errors().residual);
      errors_.norm = std::max(errors_.norm, block->errors().norm);
      errors_.rounding = std::max(errors_.rounding, block->errors().rounding);
    }
  }

  absl::StatusOr<std::vector<ScoredRow>> Best(const Query& query) const override {
    if (broken_) return base::Error(absl::StatusCode::kInternal, "CARD_LOST", "the fake card is broken. Mend it.");
    const absl::Span<const uint64_t> visible = query.visible.empty() ? visible_ : query.visible;
    const uint32_t end = std::min(query.end, static_cast<uint32_t>(blocks_.size()) * block_rows_);
    TopK top(query.wanted);
    for (uint32_t row = 0; row < end; ++row) {
      if ((visible[row / 64] >> row % 64 & 1) == 0) continue;
      top.Add(static_cast<const FakeRowBlock&>(*blocks_[row / block_rows_]).Score(query.values, row % block_rows_),
              row);
    }
    return std::move(top).Take();
  }
  const gpu::RowErrors& errors() const override { return errors_; }
  size_t most_wanted() const override { return 256; }

 private:
  const std::vector<std::shared_ptr<const gpu::RowBlock>> blocks_;
  const uint32_t block_rows_;
  const std::vector<uint64_t> visible_;
  const std::atomic<bool>& broken_;
  gpu::RowErrors errors_;
};

class FakeRowDevice : public gpu::RowDevice {
 public:
  explicit FakeRowDevice(int64_t row_bytes)
      : FakeRowDevice(std::make_shared<gpu::Card>(0, "fake", gpu::CardBudget{.rows = row_bytes})) {}
  explicit FakeRowDevice(std::shared_ptr<gpu::Card> card) : card_(std::move(card)) {}

  const std::shared_ptr<gpu::Card>& card() const override { return card_; }
  uint32_t min_rows() const override { return 0; }
  absl::StatusOr<std::unique_ptr<gpu::RowBlock>> MakeBlock(size_t dim, uint32_t rows) override {
    const auto bytes = static_cast<int64_t>(dim * rows * sizeof(uint16_t));
    SIGHTLINE_ASSIGN_OR_RETURN(gpu::CardMemory memory, gpu::Card::Reserve(card_, gpu::CardUse::kRows, bytes));
    return std::make_unique<FakeRowBlock>(dim, std::move(memory), bytes);
  }
  absl::StatusOr<std::shared_ptr<const gpu::RowView>> MakeView(std::vector<std::shared_ptr<const gpu::RowBlock>> blocks,
                                                               uint32_t block_rows,
                                                               absl::Span<const uint64_t> visible) override {
    return std::make_shared<FakeRowView>(std::move(blocks), block_rows, visible, broken);
  }

  std::atomic<bool> broken = false;

 private:
  const std::shared_ptr<gpu::Card> card_;
};

// Lists of the same card: all rows, whatever the centroids.
class FakeListDevice : public gpu::ListDevice {
 public:
  explicit FakeListDevice(int64_t row_bytes)
      : card_(std::make_shared<gpu::Card>(0, "fake", gpu::CardBudget{.rows = row_bytes})) {}

  const std::shared_ptr<gpu::Card>& card() const override { return card_; }
  absl::StatusOr<std::shared_ptr<gpu::CardLists>> MakeLists(size_t dim, absl::Span<const float> /*centroids*/,
                                                            uint32_t rows) override {
    auto lists = std::make_shared<Lists>(*this, dim);
    SIGHTLINE_RETURN_IF_ERROR(lists->Reserve(rows));
    return lists;
  }

  std::atomic<bool> broken = false;

 private:
  class Lists : public gpu::CardLists {
   public:
    Lists(const FakeListDevice& device, size_t dim) : device_(device), dim_(dim) {}

    absl::Status Reserve(size_t rows) {
      const auto bytes = static_cast<int64_t>(rows * dim_ * sizeof(float));
      SIGHTLINE_ASSIGN_OR_RETURN(gpu::CardMemory memory, gpu::Card::Reserve(device_.card_, gpu::CardUse::kRows, bytes));
      memory_.push_back(std::move(memory));
      room_ += rows;
      return absl::OkStatus();
    }

    absl::Status Append(absl::Span<const uint32_t> rows, const float* values) override {
      base::MutexLock lock(mutex_);
      if (numbers_.size() + rows.size() > room_) {
        SIGHTLINE_RETURN_IF_ERROR(Reserve(numbers_.size() + rows.size() - room_));
      }
      numbers_.insert(numbers_.end(), rows.begin(), rows.end());
      values_.insert(values_.end(), values, values + rows.size() * dim_);
      return absl::OkStatus();
    }

    absl::StatusOr<std::vector<ScoredRow>> Best(const Query& query) const override {
      if (device_.broken) {
        return base::Error(absl::StatusCode::kInternal, "CARD_LOST", "the fake card is broken. Mend it.");
      }
      base::MutexLock lock(mutex_);
      TopK top(query.wanted);
      for (size_t i = 0; i < numbers_.size(); ++i) {
        float sum = 0;
        for (size_t j = 0; j < dim_; ++j) sum += query.values[j] * values_[i * dim_ + j];
        top.Add(sum, numbers_[i]);
      }
      return std::move(top).Take();
    }
    int64_t bytes() const override { return static_cast<int64_t>(room_ * dim_ * sizeof(float)); }

   private:
    const FakeListDevice& device_;
    const size_t dim_;
    std::vector<gpu::CardMemory> memory_;
    size_t room_ = 0;
    mutable base::Mutex mutex_;
    std::vector<uint32_t> numbers_ ABSL_GUARDED_BY(mutex_);
    std::vector<float> values_ ABSL_GUARDED_BY(mutex_);
  };

  const std::shared_ptr<gpu::Card> card_;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_TESTS_INDEX_FAKE_CARD_H_
