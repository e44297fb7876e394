// RowDevice on a card: rows in half precision, scanned by the kernels of exact_rows.cu.
//
// Searches that come while one runs wait and share the next pass over the rows, up to 8 of the same view. Scratch
// memory (queries, filters, lists of the best) belongs to the device, grows to what the largest pass needed, some tens
// of MB at most, and stays.
#include "index/gpu/exact_rows.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/status.h"
#include "index/gpu/cuda_status.h"
#include "index/gpu/device_memory.h"
#include "index/gpu/row_device.h"
#include "index/kernels/float16.h"

namespace sightline::index::gpu {
namespace {

constexpr size_t kVectorValues = 8;  // halves of 16 bytes
// Rows copied to the card at once, through pinned memory.
constexpr uint32_t kStagedRows = 1024;
constexpr float kLargestHalf = 65'504;

// What a kernel's sum is off by relative to |q| |x'| (exact_rows.h).
double RoundingOf(size_t dim) { return (static_cast<double>(dim) / 32 + 24) * 0x1p-24; }

size_t VectorsOf(size_t dim) { return (dim + kVectorValues - 1) / kVectorValues; }

struct CardFacts {
  std::shared_ptr<Card> card;
  uint32_t min_rows = 0;
  unsigned multiprocessors = 1;
  size_t shared_bytes = 0;  // that one block of threads may have
};

class ExactView;

class ExactDevice : public RowDevice, public std::enable_shared_from_this<ExactDevice> {
 public:
  explicit ExactDevice(CardFacts facts) : facts_(std::move(facts)) {}

  const std::shared_ptr<Card>& card() const override { return facts_.card; }
  uint32_t min_rows() const override { return facts_.min_rows; }
  absl::StatusOr<std::unique_ptr<RowBlock>> MakeBlock(size_t dim, uint32_t rows) override;
  absl::StatusOr<std::shared_ptr<const RowView>> MakeView(std::vector<std::shared_ptr<const RowBlock>> blocks,
                                                          uint32_t block_rows,
                                                          absl::Span<const uint64_t> visible) override;

  // Halves of `stride` each row, copied to `to`.
  absl::Status Copy(const float* values, uint32_t count, size_t dim, size_t stride, uint16_t* to, RowErrors* errors);
  absl::StatusOr<std::vector<ScoredRow>> Best(const ExactView& view, const RowView::Query& query);

 private:
  struct Request {
    const ExactView* view = nullptr;
    const RowView::Query* query = nullptr;
    std::vector<ScoredRow> best;
    absl::Status status;
    bool done = false;
  };

  std::vector<Request*> TakeBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(queue_mutex_);
  absl::Status Run(absl::Span<Request* const> batch);
  absl::Status Answer(absl::Span<Request* const> batch);
  absl::Status Prepare(absl::Span<Request* const> batch, ScanQueries* queries);
  absl::StatusOr<const uint64_t*> Search(const ScanRows& rows, const ScanQueries& queries);

  const CardFacts facts_;

  base::Mutex copy_mutex_;
  Stream copies_ ABSL_GUARDED_BY(copy_mutex_);
  PinnedBuffer<uint16_t> staged_ ABSL_GUARDED_BY(copy_mutex_);

  base::Mutex queue_mutex_;
  base::CondVar changed_;
  std::deque<Request*> queue_ ABSL_GUARDED_BY(queue_mutex_);
  bool running_ ABSL_GUARDED_BY(queue_mutex_) = false;

  // Of whoever set running_.
  Stream searches_;
  PinnedBuffer<uint64_t> asked_;        // queries, then filters
  DeviceBuffer<uint64_t> asked_there_;  // the same on the card
  DeviceBuffer<uint64_t> lists_;
  DeviceBuffer<uint64_t> merged_;
  PinnedBuffer<uint64_t> best_;
};

class ExactBlock : public RowBlock {
 public:
  ExactBlock(std::shared_ptr<ExactDevice> device, CardMemory memory, DeviceBuffer<uint16_t> rows, size_t dim,
             size_t stride)
      : device_(std::move(device)), memory_(std::move(memory)), rows_(std::move(rows)), dim_(dim), stride_(stride) {
    errors_.rounding = RoundingOf(dim);
  }

  absl::Status Append(const float* values, uint32_t count) override {
    if ((size_t{count_} + count) * stride_ > rows_.size()) {
      return base::FailedPrecondition(
          "BLOCK_FULL", absl::StrCat("the block has room for ", rows_.size() / stride_, " rows, has ", count_,
                                     " and was given ", count, " more. Make a larger one."));
    }
    for (uint32_t done = 0; done < count; done += kStagedRows) {
      const uint32_t now = std::min(count - done, kStagedRows);
      SIGHTLINE_RETURN_IF_ERROR(
          device_->Copy(values + done * dim_, now, dim_, stride_, rows_.data() + size_t{count_} * stride_, &errors_));
      count_ += now;
    }
    return absl::OkStatus();
  }

  const RowErrors& errors() const override { return errors_; }
  int64_t bytes() const override { return static_cast<int64_t>(rows_.bytes()); }
  size_t stride() const { return stride_; }
  size_t dim() const { return dim_; }
  const uint4* data() const { return reinterpret_cast<const uint4*>(rows_.data()); }

 private:
  const std::shared_ptr<ExactDevice> device_;
  const CardMemory memory_;
  const DeviceBuffer<uint16_t> rows_;
  const size_t dim_;
  const size_t stride_;  // in halves
  uint32_t count_ = 0;
  RowErrors errors_;
};

class ExactView : public RowView {
 public:
  ExactView(std::shared_ptr<ExactDevice> device, std::vector<std::shared_ptr<const RowBlock>> blocks,
            uint32_t block_rows)
      : device_(std::move(device)), blocks_(std::move(blocks)), block_shift_(std::bit_width(block_rows) - 1u) {
    for (const auto& block : blocks_) {
      if (block == nullptr) continue;
      dim_ = static_cast<const ExactBlock&>(*block).dim();
      errors_.residual = std::max(errors_.residual, block->errors().residual);
      errors_.norm = std::max(errors_.norm, block->errors().norm);
      errors_.rounding = std::max(errors_.rounding, block->errors().rounding);
    }
  }

  absl::Status Fill(absl::Span<const uint64_t> visible) {
    SIGHTLINE_RETURN_IF_ERROR(MakeCurrent(device_->card()->device()));
    std::vector<const uint4*> table;
    for (const auto& block : blocks_) {
      table.push_back(block == nullptr ? nullptr : static_cast<const ExactBlock&>(*block).data());
    }
    SIGHTLINE_ASSIGN_OR_RETURN(table_, DeviceBuffer<const uint4*>::Allocate(table.size()));
    SIGHTLINE_ASSIGN_OR_RETURN(visible_, DeviceBuffer<uint64_t>::Allocate(visible.size()));
    SIGHTLINE_ASSIGN_OR_RETURN(const Stream stream, Stream::Create());
    SIGHTLINE_RETURN_IF_ERROR(Upload<const uint4*>(table, table_, stream.get()));
    SIGHTLINE_RETURN_IF_ERROR(Upload<uint64_t>(visible, visible_, stream.get()));
    return stream.Wait("the upload of a view");
  }

  absl::StatusOr<std::vector<ScoredRow>> Best(const Query& query) const override { return device_->Best(*this, query); }
  const RowErrors& errors() const override { return errors_; }
  size_t most_wanted() const override { return kMostWanted; }

  size_t dim() const { return dim_; }
  unsigned rows() const { return static_cast<unsigned>(blocks_.size() << block_shift_); }
  const uint64_t* visible() const { return visible_.data(); }
  ScanRows scanned(unsigned end) const {
    return {.blocks = table_.data(),
            .block_shift = block_shift_,
            .vectors = static_cast<unsigned>(VectorsOf(dim_)),
            .end = end};
  }

 private:
  const std::shared_ptr<ExactDevice> device_;
  const std::vector<std::shared_ptr<const RowBlock>> blocks_;
  const unsigned block_shift_;
  size_t dim_ = 0;
  RowErrors errors_;
  DeviceBuffer<const uint4*> table_;
  DeviceBuffer<uint64_t> visible_;
};

// ---- Rows

absl::StatusOr<std::unique_ptr<RowBlock>> ExactDevice::MakeBlock(size_t dim, uint32_t rows) {
  const size_t stride = VectorsOf(dim) * kVectorValues;
  if (ScanSharedBytes(1, kMostWanted, static_cast<unsigned>(VectorsOf(dim))) > facts_.shared_bytes) {
    return base::InvalidArgument("ROWS_TOO_WIDE", absl::StrCat("rows of ", dim,
                                                               " values are more than the card compares at once. They "
                                                               "are compared on the CPU."));
  }
  SIGHTLINE_ASSIGN_OR_RETURN(
      CardMemory memory,
      Card::Reserve(facts_.card, CardUse::kRows, static_cast<int64_t>(size_t{rows} * stride * sizeof(uint16_t))));
  SIGHTLINE_RETURN_IF_ERROR(MakeCurrent(facts_.card->device()));
  SIGHTLINE_ASSIGN_OR_RETURN(DeviceBuffer<uint16_t> buffer, DeviceBuffer<uint16_t>::Allocate(size_t{rows} * stride));
  return std::make_unique<ExactBlock>(shared_from_this(), std::move(memory), std::move(buffer), dim, stride);
}

absl::StatusOr<std::shared_ptr<const RowView>> ExactDevice::MakeView(
    std::vector<std::shared_ptr<const RowBlock>> blocks, uint32_t block_rows, absl::Span<const uint64_t> visible) {
  auto view = std::make_shared<ExactView>(shared_from_this(), std::move(blocks), block_rows);
  SIGHTLINE_RETURN_IF_ERROR(view->Fill(visible));
  return view;
}

absl::Status ExactDevice::Copy(const float* values, uint32_t count, size_t dim, size_t stride, uint16_t* to,
                               RowErrors* errors) {
  base::MutexLock lock(copy_mutex_);
  SIGHTLINE_RETURN_IF_ERROR(MakeCurrent(facts_.card->device()));
  if (copies_.get() == nullptr) {
    SIGHTLINE_ASSIGN_OR_RETURN(copies_, Stream::Create());
  }
  SIGHTLINE_RETURN_IF_ERROR(Grow(kStagedRows * stride, &staged_));
  for (uint32_t row = 0; row < count; ++row) {
    const float* const from = values + row * dim;
    uint16_t* const half = staged_.data() + row * stride;
    double residual = 0, norm = 0;
    bool representable = true;
    for (size_t i = 0; i < dim; ++i) {
      half[i] = kernels::Float16FromFloat(from[i]);
      representable = representable && std::abs(from[i]) <= kLargestHalf;
      const double off = static_cast<double>(from[i]) - kernels::FloatFromFloat16(half[i]);
      residual += off * off;
      norm += static_cast<double>(from[i]) * from[i];
    }
    std::fill(half + dim, half + stride, uint16_t{0});
    if (!representable) {
      return base::FailedPrecondition("ROW_BEYOND_HALF",
                                      "a row has a value that half precision has not, beyond 65,504 or not a number. "
                                      "Its block is compared on the CPU.");
    }
    errors->residual = std::max(errors->residual, std::sqrt(residual) * (1 + 1e-9));
    errors->norm = std::max(errors->norm, std::sqrt(norm) * (1 + 1e-9));
  }
  SIGHTLINE_RETURN_IF_ERROR(CudaStatus(
      cudaMemcpyAsync(to, staged_.data(), count * stride * sizeof(uint16_t), cudaMemcpyHostToDevice, copies_.get()),
      "the upload of rows"));
  return copies_.Wait("the upload of rows");
}

// ---- Searches

absl::StatusOr<std::vector<ScoredRow>> ExactDevice::Best(const ExactView& view, const RowView::Query& query) {
  Request mine;
  mine.view = &view;
  mine.query = &query;
  base::MutexLock lock(queue_mutex_);
  queue_.push_back(&mine);
  while (!mine.done) {
    if (running_) {
      changed_.Wait(queue_mutex_);
      continue;
    }
    // Whoever finds the card idle runs those who wait longest, which may be others.
    running_ = true;
    const std::vector<Request*> batch = TakeBatch();
    queue_mutex_.Unlock();
    const absl::Status status = Run(batch);
    queue_mutex_.Lock();
    for (Request* const request : batch) {
      request->status = status;
      request->done = true;
    }
    running_ = false;
    changed_.NotifyAll();
  }
  if (!mine.status.ok()) return mine.status;
  return std::move(mine.best);
}

// The first request and others of its view, as many as shared memory has room for.
std::vector<ExactDevice::Request*> ExactDevice::TakeBatch() {
  std::vector<Request*> batch = {queue_.front()};
  queue_.pop_front();
  const auto vectors = static_cast<unsigned>(VectorsOf(batch.front()->view->dim()));
  size_t wanted = batch.front()->query->wanted;
  for (auto it = queue_.begin(); it != queue_.end() && batch.size() < kMostQueries;) {
    const size_t most = std::max(wanted, (*it)->query->wanted);
    if ((*it)->view != batch.front()->view ||
        ScanSharedBytes(static_cast<unsigned>(batch.size()) + 1, static_cast<unsigned>(most), vectors) >
            facts_.shared_bytes) {
      ++it;
      continue;
    }
    wanted = most;
    batch.push_back(*it);
    it = queue_.erase(it);
  }
  return batch;
}

// Copies what the batch asks to the card: the queries, padded with zeros, and the filters behind them.
absl::Status ExactDevice::Prepare(absl::Span<Request* const> batch, ScanQueries* queries) {
  const ExactView& view = *batch.front()->view;
  const size_t padded = VectorsOf(view.dim()) * kVectorValues, query_words = padded * sizeof(float) / sizeof(uint64_t);
  size_t words = batch.size() * query_words;
  for (const Request* const request : batch) words += request->query->visible.size();
  SIGHTLINE_RETURN_IF_ERROR(Grow(words, &asked_));
  SIGHTLINE_RETURN_IF_ERROR(Grow(words, &asked_there_));
  std::memset(asked_.data(), 0, batch.size() * query_words * sizeof(uint64_t));
  size_t at = batch.size() * query_words;
  for (size_t i = 0; i < batch.size(); ++i) {
    const RowView::Query& query = *batch[i]->query;
    std::memcpy(asked_.data() + i * query_words, query.values, view.dim() * sizeof(float));
    const uint64_t* visible = view.visible();
    if (!query.visible.empty()) {
      std::copy(query.visible.begin(), query.visible.end(), asked_.data() + at);
      visible = asked_there_.data() + at;
      at += query.visible.size();
    }
    // Bits of little-endian words of 64 are the same bits of words of 32.
    queries->visible[i] = reinterpret_cast<const uint32_t*>(visible);
    queries->end[i] = std::min(query.end, view.rows());
    queries->wanted = std::max(queries->wanted, static_cast<unsigned>(query.wanted));
  }
  queries->count = static_cast<unsigned>(batch.size());
  queries->values = reinterpret_cast<const float*>(asked_there_.data());
  return Upload<uint64_t>(absl::MakeConstSpan(asked_.data(), words), asked_there_, searches_.get());
}

// The merged keys, `wanted` of each query. Waits for them.
absl::StatusOr<const uint64_t*> ExactDevice::Search(const ScanRows& rows, const ScanQueries& queries) {
  const unsigned rounds = (rows.end + kRoundRows - 1) / kRoundRows;
  unsigned lists = std::clamp(rounds, 1u, facts_.multiprocessors * ScanBlocksPerSm(queries.count));
  const size_t keys = size_t{queries.count} * queries.wanted;
  SIGHTLINE_RETURN_IF_ERROR(Grow(keys * lists, &lists_));
  SIGHTLINE_RETURN_IF_ERROR(Grow(keys * ((lists + kListsMerged - 1) / kListsMerged), &merged_));
  SIGHTLINE_RETURN_IF_ERROR(Grow(keys, &best_));
  SIGHTLINE_RETURN_IF_ERROR(
      CudaStatus(LaunchScan(rows, queries, lists, lists_.data(), searches_.get()), "the scan of rows"));
  const DeviceBuffer<uint64_t>* from = &lists_;
  const DeviceBuffer<uint64_t>* to = &merged_;
  while (lists > 1) {
    SIGHTLINE_RETURN_IF_ERROR(CudaStatus(
        LaunchMerge(from->data(), lists, queries.count, queries.wanted, to->data(), searches_.get()), "a merge"));
    lists = (lists + kListsMerged - 1) / kListsMerged;
    std::swap(from, to);
  }
  SIGHTLINE_RETURN_IF_ERROR(Download(*from, absl::MakeSpan(best_.data(), keys), searches_.get()));
  SIGHTLINE_RETURN_IF_ERROR(searches_.Wait("a search"));
  return best_.data();
}

absl::Status ExactDevice::Run(absl::Span<Request* const> batch) {
  absl::Status status = Answer(batch);
  // What was put into the stream before the failure may still be reading pinned memory.
  if (!status.ok() && searches_.get() != nullptr) (void)searches_.Wait("a search that failed");
  return status;
}

absl::Status ExactDevice::Answer(absl::Span<Request* const> batch) {
  SIGHTLINE_RETURN_IF_ERROR(MakeCurrent(facts_.card->device()));
  if (searches_.get() == nullptr) {
    SIGHTLINE_ASSIGN_OR_RETURN(searches_, Stream::Create());
  }
  ScanQueries queries;
  SIGHTLINE_RETURN_IF_ERROR(Prepare(batch, &queries));
  const unsigned end = *std::max_element(queries.end, queries.end + queries.count);
  SIGHTLINE_ASSIGN_OR_RETURN(const uint64_t* const keys, Search(batch.front()->view->scanned(end), queries));
  for (size_t i = 0; i < batch.size(); ++i) {
    const uint64_t* const mine = keys + i * queries.wanted;
    for (size_t j = 0; j < batch[i]->query->wanted && mine[j] != 0; ++j) {
      batch[i]->best.push_back({ScoreOfKey(mine[j]), RowOfKey(mine[j])});
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<RowDevice>> OpenRows(std::shared_ptr<Card> card, const RowDeviceOptions& options) {
  SIGHTLINE_RETURN_IF_ERROR(MakeCurrent(card->device()));
  int multiprocessors = 0, shared_bytes = 0;
  SIGHTLINE_RETURN_IF_ERROR(
      CudaStatus(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, card->device()),
                 "a count of the card's multiprocessors"));
  SIGHTLINE_RETURN_IF_ERROR(
      CudaStatus(cudaDeviceGetAttribute(&shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, card->device()),
                 "a look at the card's shared memory"));
  SIGHTLINE_RETURN_IF_ERROR(CudaStatus(AllowScans(static_cast<size_t>(shared_bytes)), "the shared memory of scans"));
  return std::make_shared<ExactDevice>(CardFacts{.card = std::move(card),
                                                 .min_rows = options.min_rows,
                                                 .multiprocessors = static_cast<unsigned>(multiprocessors),
                                                 .shared_bytes = static_cast<size_t>(shared_bytes)});
}

}  // namespace sightline::index::gpu
