// BufferPool: the memory that forward passes work in, kept from one to the next. Asking the system for megabytes in
// every layer costs a page fault per 4 KiB; here large buffers are reused and lie on huge pages where the system offers
// them.
//
// Threading: thread-safe. Ownership: a Buffer gives its memory back when it goes, and keeps the pool alive until then.
// A pool holds at most twice what was in use at one time. Failure: std::bad_alloc.
//
//   auto pool = std::make_shared<BufferPool>();
//   const Buffer scores = BufferPool::Take(pool, rows * columns * sizeof(float));
#ifndef SIGHTLINE_MODEL_ENGINE_BUFFERS_H_
#define SIGHTLINE_MODEL_ENGINE_BUFFERS_H_

#include <cstddef>
#include <cstdlib>
#include <map>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"

namespace sightline::model::engine {

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<void, FreeMemory>;

// Aligned to 64 bytes, to 2 MiB and on huge pages from that size on. The size is rounded up to `AllocatedSize`.
Memory Allocate(size_t bytes);
size_t AllocatedSize(size_t bytes);

class BufferPool;

// At least as many bytes as asked for, aligned to 64, of any content. Movable.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept = default;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  void* data() const { return memory_.get(); }
  float* floats() const { return static_cast<float*>(memory_.get()); }

 private:
  friend class BufferPool;
  Buffer(std::shared_ptr<BufferPool> pool, Memory memory, size_t size);

  std::shared_ptr<BufferPool> pool_;
  Memory memory_;
  size_t size_ = 0;
};

class BufferPool {
 public:
  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  static Buffer Take(const std::shared_ptr<BufferPool>& pool, size_t bytes);

  // Bytes held, in use or not.
  size_t held() const;

 private:
  friend class Buffer;
  void Return(Memory memory, size_t size);

  mutable base::Mutex mutex_;
  std::multimap<size_t, Memory> idle_ ABSL_GUARDED_BY(mutex_);
  size_t idle_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t used_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t most_used_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_BUFFERS_H_
