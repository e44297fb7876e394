// What CUDA hands out, owned: memory of the card, pinned memory of the host, streams and events.
//
// Threading: none of these is thread-safe; each belongs to one thread at a time. Create them with the card current
// (MakeCurrent of cuda_status.h); they may be destroyed anywhere. Ownership: movable, not copyable; an empty one, made
// by default or moved from, is data() == nullptr or get() == nullptr and owns nothing. cudaFree waits for what the card
// is doing, so memory that is still read by work in a stream may be let go; pinned memory may not. Failure: typed as in
// cuda_status.h; memory that the card does not have is RESOURCE_EXHAUSTED with what was asked, free and there.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(DeviceBuffer<float> scores, DeviceBuffer<float>::Allocate(rows));
//   SIGHTLINE_ASSIGN_OR_RETURN(Stream stream, Stream::Create());
//   SIGHTLINE_RETURN_IF_ERROR(Upload<float>(host, scores, stream.get()));
//   SIGHTLINE_RETURN_IF_ERROR(stream.Wait("the upload of scores"));
#ifndef SIGHTLINE_INDEX_GPU_DEVICE_MEMORY_H_
#define SIGHTLINE_INDEX_GPU_DEVICE_MEMORY_H_

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/status.h"
#include "index/gpu/cuda_status.h"

namespace sightline::index::gpu {

namespace internal {

inline absl::Status CardFull(size_t asked) {
  size_t free = 0, total = 0;
  (void)cudaGetLastError();
  if (cudaMemGetInfo(&free, &total) != cudaSuccess) (void)cudaGetLastError();
  return base::Error(absl::StatusCode::kResourceExhausted, "CARD_FULL",
                     absl::StrCat("the card has no ", asked, " bytes together: ", free, " of ", total,
                                  " bytes are free. Give the card less to hold, or a larger card."),
                     {{"asked", absl::StrCat(asked)}, {"free", absl::StrCat(free)}, {"total", absl::StrCat(total)}});
}

template <auto kFree, typename Handle>
class Owned {
 public:
  Owned() = default;
  explicit Owned(Handle handle) : handle_(handle) {}
  Owned(Owned&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Owned& operator=(Owned&& other) noexcept {
    if (this != &other) {
      Free();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Owned() { Free(); }

  Handle get() const { return handle_; }

 private:
  void Free() {
    // On a lost card this fails as everything does, and there is nothing to be done about it.
    if (handle_ != nullptr && kFree(handle_) != cudaSuccess) (void)cudaGetLastError();
    handle_ = nullptr;
  }

  Handle handle_ = nullptr;
};

// Memory of `kAllocate`: cudaMalloc or cudaMallocHost as functions of (void**, size_t).
template <typename T, cudaError_t (*kAllocate)(void**, size_t), cudaError_t (*kFree)(void*)>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept : memory_(std::move(other.memory_)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    memory_ = std::move(other.memory_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  // Not initialised. `count` may be 0.
  static absl::StatusOr<Buffer> Allocate(size_t count) {
    if (count > std::numeric_limits<size_t>::max() / sizeof(T)) return CardFull(std::numeric_limits<size_t>::max());
    Buffer buffer;
    if (count == 0) return buffer;
    void* memory = nullptr;
    const cudaError_t error = kAllocate(&memory, count * sizeof(T));
    if (error == cudaErrorMemoryAllocation) return CardFull(count * sizeof(T));
    SIGHTLINE_RETURN_IF_ERROR(CudaStatus(error, "an allocation"));
    buffer.memory_ = Owned<kFree, void*>(memory);
    buffer.size_ = count;
    return buffer;
  }

  T* data() const { return static_cast<T*>(memory_.get()); }
  size_t size() const { return size_; }
  size_t bytes() const { return size_ * sizeof(T); }

 private:
  Owned<kFree, void*> memory_;
  size_t size_ = 0;
};

inline cudaError_t AllocateDevice(void** memory, size_t bytes) { return cudaMalloc(memory, bytes); }
inline cudaError_t AllocatePinned(void** memory, size_t bytes) { return cudaMallocHost(memory, bytes); }

}  // namespace internal

template <typename T>
using DeviceBuffer = internal::Buffer<T, internal::AllocateDevice, cudaFree>;

// Memory of the host that the card copies from and to without a detour, and without the host waiting.
template <typename T>
using PinnedBuffer = internal::Buffer<T, internal::AllocatePinned, cudaFreeHost>;

// Makes `buffer` hold at least `count`, by half more than now where it has to grow; what it held is lost then. The old
// memory goes first, so that both need not fit; after a failure the buffer is empty.
template <typename Buffer>
absl::Status Grow(size_t count, Buffer* buffer) {
  if (buffer->size() >= count) return absl::OkStatus();
  const size_t wanted = std::max(count, buffer->size() + buffer->size() / 2);
  *buffer = Buffer();
  absl::StatusOr<Buffer> larger = Buffer::Allocate(wanted);
  if (!larger.ok() && wanted > count && !IsCardLost(larger.status())) larger = Buffer::Allocate(count);
  if (!larger.ok()) return larger.status();
  *buffer = *std::move(larger);
  return absl::OkStatus();
}

// A queue of the card's work: what is put in runs in order, and beside what other streams hold.
class Stream {
 public:
  Stream() = default;

  // It does not wait for the default stream, nor that for it.
  static absl::StatusOr<Stream> Create() {
    cudaStream_t stream = nullptr;
    SIGHTLINE_RETURN_IF_ERROR(CudaStatus(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a new stream"));
    Stream created;
    created.stream_ = internal::Owned<cudaStreamDestroy, cudaStream_t>(stream);
    return created;
  }

  cudaStream_t get() const { return stream_.get(); }

  // Until everything put in so far is done; the first failure among it shows here.
  absl::Status Wait(absl::string_view what) const { return CudaStatus(cudaStreamSynchronize(get()), what); }

 private:
  internal::Owned<cudaStreamDestroy, cudaStream_t> stream_;
};

// A place in a stream.
class Event {
 public:
  Event() = default;

  // `timed`: for MillisecondsSince; without, waiting for it is cheaper.
  static absl::StatusOr<Event> Create(bool timed = false) {
    cudaEvent_t event = nullptr;
    SIGHTLINE_RETURN_IF_ERROR(
        CudaStatus(cudaEventCreateWithFlags(&event, timed ? 0 : cudaEventDisableTiming), "a new event"));
    Event created;
    created.event_ = internal::Owned<cudaEventDestroy, cudaEvent_t>(event);
    return created;
  }

  cudaEvent_t get() const { return event_.get(); }

  absl::Status Record(cudaStream_t stream) { return CudaStatus(cudaEventRecord(get(), stream), "an event"); }
  // Until everything before the place is done.
  absl::Status Wait(absl::string_view what) const { return CudaStatus(cudaEventSynchronize(get()), what); }
  absl::StatusOr<float> MillisecondsSince(const Event& begin) const {
    float milliseconds = 0;
    SIGHTLINE_RETURN_IF_ERROR(CudaStatus(cudaEventElapsedTime(&milliseconds, begin.get(), get()), "a measurement"));
    return milliseconds;
  }

 private:
  internal::Owned<cudaEventDestroy, cudaEvent_t> event_;
};

// From the host to the beginning of `to`, which is large enough. Pageable memory is copied before this returns; pinned
// memory must stay until the stream is done.
template <typename T>
absl::Status Upload(absl::Span<const T> from, const DeviceBuffer<T>& to, cudaStream_t stream) {
  return CudaStatus(cudaMemcpyAsync(to.data(), from.data(), from.size() * sizeof(T), cudaMemcpyHostToDevice, stream),
                    "an upload");
}

// The first `to.size()` of `from` to the host. They are there when the stream is done.
template <typename T>
absl::Status Download(const DeviceBuffer<T>& from, absl::Span<T> to, cudaStream_t stream) {
  return CudaStatus(cudaMemcpyAsync(to.data(), from.data(), to.size() * sizeof(T), cudaMemcpyDeviceToHost, stream),
                    "a download");
}

}  // namespace sightline::index::gpu

#endif  // SIGHTLINE_INDEX_GPU_DEVICE_MEMORY_H_
