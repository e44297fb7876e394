#include "model/engine/buffers.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>
#include <utility>

namespace sightline::model::engine {
namespace {

constexpr size_t kCacheLine = 64;
constexpr size_t kPage = 4096;
constexpr size_t kHugePage = 2 << 20;
// A buffer is taken for a request of at least this share of it.
constexpr size_t kLoosestFit = 4;

}  // namespace

size_t AllocatedSize(size_t bytes) {
  const size_t unit = bytes >= kHugePage ? kHugePage : bytes >= kPage ? kPage : kCacheLine;
  return (std::max<size_t>(bytes, 1) + unit - 1) / unit * unit;
}

Memory Allocate(size_t bytes) {
  const size_t size = AllocatedSize(bytes);
  Memory memory(std::aligned_alloc(size >= kHugePage ? kHugePage : kCacheLine, size));
  if (memory == nullptr) throw std::bad_alloc();
  // A wish; without huge pages everything works, slower.
  if (size >= kHugePage) ::madvise(memory.get(), size, MADV_HUGEPAGE);
  return memory;
}

Buffer::Buffer(std::shared_ptr<BufferPool> pool, Memory memory, size_t size)
    : pool_(std::move(pool)), memory_(std::move(memory)), size_(size) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(memory_, other.memory_);
  std::swap(size_, other.size_);
  return *this;
}

Buffer::~Buffer() {
  if (memory_ != nullptr) pool_->Return(std::move(memory_), size_);
}

Buffer BufferPool::Take(const std::shared_ptr<BufferPool>& pool, size_t bytes) {
  const size_t wanted = AllocatedSize(bytes);
  Memory memory;
  size_t size = wanted;
  {
    base::MutexLock lock(pool->mutex_);
    const auto found = pool->idle_.lower_bound(wanted);
    if (found != pool->idle_.end() && found->first / kLoosestFit <= wanted) {
      size = found->first;
      memory = std::move(found->second);
      pool->idle_.erase(found);
      pool->idle_bytes_ -= size;
    }
    pool->used_bytes_ += size;
    pool->most_used_ = std::max(pool->most_used_, pool->used_bytes_);
  }
  if (memory == nullptr) memory = Allocate(wanted);
  return Buffer(pool, std::move(memory), size);
}

void BufferPool::Return(Memory memory, size_t size) {
  std::multimap<size_t, Memory> surplus;
  base::MutexLock lock(mutex_);
  used_bytes_ -= size;
  idle_bytes_ += size;
  idle_.emplace(size, std::move(memory));
  while (idle_bytes_ + used_bytes_ > 2 * most_used_) {
    const auto largest = std::prev(idle_.end());
    idle_bytes_ -= largest->first;
    surplus.insert(idle_.extract(largest));
  }
}

size_t BufferPool::held() const {
  base::MutexLock lock(mutex_);
  return idle_bytes_ + used_bytes_;
}

}  // namespace sightline::model::engine
