#include "index/ann/pq_codes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

namespace sightline::index {
namespace {

constexpr size_t kLookupBatch = 32;
// About 0.1 ms at 192 bytes a row.
constexpr uint32_t kPqRowsPerQuestion = 1024;

}  // namespace

PqCodes::PqCodes(std::shared_ptr<const ProductQuantizer> quantizer, uint32_t chunk_rows, uint32_t max_rows)
    : quantizer_(std::move(quantizer)),
      max_rows_(max_rows),
      shift_(std::bit_width(chunk_rows) - 1),
      mask_(chunk_rows - 1),
      chunks_((max_rows + chunk_rows - 1) / chunk_rows) {}

uint8_t* PqCodes::MutableRow(uint32_t row) {
  auto& chunk = chunks_[row >> shift_];
  if (chunk == nullptr) {
    const size_t bytes = (static_cast<size_t>(mask_) + 1) * quantizer_->code_bytes();
    chunk = std::make_unique<uint8_t[]>(bytes);
    memory_bytes_.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed);
  }
  return chunk.get() + static_cast<size_t>(row & mask_) * quantizer_->code_bytes();
}

void PqCodes::Set(uint32_t row, const float* descriptor) { quantizer_->Encode(descriptor, MutableRow(row)); }

void PqCodes::Scores(const float* table, absl::Span<const uint32_t> rows, float* out) const {
  std::array<const uint8_t*, kLookupBatch> codes;
  for (size_t first = 0; first < rows.size(); first += kLookupBatch) {
    const size_t count = std::min(kLookupBatch, rows.size() - first);
    for (size_t i = 0; i < count; ++i) codes[i] = Row(rows[first + i]);
    quantizer_->Scores(table, codes.data(), count, out + first);
  }
}

PqCodes::Result PqCodes::Search(const Request& request) const {
  Result result;
  const std::vector<float> table = quantizer_->Table(request.query);
  TopK top(request.k);
  std::array<uint32_t, kLookupBatch> rows;
  std::array<float, kLookupBatch> scores;
  size_t pending = 0;
  const auto flush = [&] {
    Scores(table.data(), absl::MakeConstSpan(rows.data(), pending), scores.data());
    for (size_t i = 0; i < pending; ++i) {
      if (top.Wants(scores[i]) && request.accept(rows[i])) top.Add(scores[i], rows[i]);
    }
    result.compared += static_cast<int64_t>(pending);
    pending = 0;
  };
  for (uint32_t row = 0; row < request.rows; ++row) {
    if (row % kPqRowsPerQuestion == 0 && request.cancelled != nullptr && *request.cancelled && (*request.cancelled)()) {
      result.cancelled = true;
      break;
    }
    if (request.filter != nullptr && !request.filter->Contains(row)) continue;
    rows[pending] = row;
    if (++pending == kLookupBatch) flush();
  }
  flush();
  result.best = std::move(top).Take();
  return result;
}

}  // namespace sightline::index
