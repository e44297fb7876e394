// DescriptorChunk: the descriptors of one chunk of rows in full precision, wherever they are: in memory while the chunk
// grows, in its file once it is sealed (chunk_file.h).
//
// Threading: Read from any thread, for rows that are published. Ownership: see the implementations.
// Failure: DATA_LOSS when a row's checksum does not match; the caller then asks the store, which has the truth.
#ifndef SIGHTLINE_INDEX_ANN_DESCRIPTOR_CHUNK_H_
#define SIGHTLINE_INDEX_ANN_DESCRIPTOR_CHUNK_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"

namespace sightline::index {

class DescriptorChunk {
 public:
  virtual ~DescriptorChunk() = default;

  // Writes the dim values of row `row` of the chunk to `out`.
  virtual absl::Status Read(uint32_t row, float* out) const = 0;

  // Says that Read will be called for this row: several such rows are then fetched from disk at once.
  virtual void Prefetch(uint32_t /*row*/) const {}

  virtual int64_t memory_bytes() const = 0;
};

// In memory, growing. The pages of rows not written yet are not taken.
class MemoryDescriptors : public DescriptorChunk {
 public:
  MemoryDescriptors(size_t dim, uint32_t max_rows);

  // One writer; rows in ascending order.
  void Append(const float* descriptor);

  uint32_t rows() const { return rows_.load(std::memory_order_relaxed); }

  absl::Status Read(uint32_t row, float* out) const override;
  int64_t memory_bytes() const override;

 private:
  struct Unmap {
    void operator()(float* memory) const;
    size_t bytes = 0;
  };

  const size_t dim_;
  std::unique_ptr<float, Unmap> values_;
  std::atomic<uint32_t> rows_ = 0;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_DESCRIPTOR_CHUNK_H_
