#include "index/ann/descriptor_chunk.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace sightline::index {
namespace {

float* MapFloats(size_t count) {
  void* memory = ::mmap(nullptr, count * sizeof(float), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return static_cast<float*>(memory);
}

}  // namespace

void MemoryDescriptors::Unmap::operator()(float* memory) const { ::munmap(memory, bytes); }

MemoryDescriptors::MemoryDescriptors(size_t dim, uint32_t max_rows)
    : dim_(dim), values_(MapFloats(dim * max_rows), Unmap{dim * max_rows * sizeof(float)}) {}

void MemoryDescriptors::Append(const float* descriptor) {
  const uint32_t row = rows_.load(std::memory_order_relaxed);
  std::copy_n(descriptor, dim_, values_.get() + row * dim_);
  rows_.store(row + 1, std::memory_order_relaxed);
}

absl::Status MemoryDescriptors::Read(uint32_t row, float* out) const {
  std::copy_n(values_.get() + row * dim_, dim_, out);
  return absl::OkStatus();
}

int64_t MemoryDescriptors::memory_bytes() const {
  return static_cast<int64_t>(rows_.load(std::memory_order_relaxed) * dim_ * sizeof(float));
}

}  // namespace sightline::index
