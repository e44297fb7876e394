#include "tests/gpu/emulator/emulator.h"

#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "cuda_runtime.h"

namespace {

using sightline::emulator::block_dim;
using sightline::emulator::block_index;
using sightline::emulator::grid_dim;
using sightline::emulator::thread_index;

constexpr size_t kStackBytes = 64 << 10;
constexpr unsigned kMostThreads = 1024;
constexpr size_t kMostShared = 48 << 10;
constexpr size_t kMostSharedOptin = 163 << 10;  // of an A100
constexpr char kDeviceGarbage = '\x7f';         // as floats 3.4e38, as indices out of any range

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "CUDA emulator: %s. Block (%u, %u, %u).\n", what.c_str(), block_index.x, block_index.y,
               block_index.z);
  std::abort();
}

// ---- Memory

// The whole of the card's, allocated so that the byte behind each piece (rounded up to 16) cannot be touched.
class Memory {
 public:
  cudaError_t Allocate(void** pointer, size_t bytes) {
    const std::lock_guard lock(mutex_);
    *pointer = nullptr;
    if (left_ == 0) return cudaErrorMemoryAllocation;
    if (left_ > 0) --left_;
    if (bytes == 0) return cudaSuccess;
    if (bytes > total_ - std::min(total_, used_)) return cudaErrorMemoryAllocation;
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE)), rounded = (bytes + 15) / 16 * 16;
    const size_t pages = (rounded + page - 1) / page * page;
    void* memory = mmap(nullptr, pages + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return cudaErrorMemoryAllocation;
    mprotect(static_cast<char*>(memory) + pages, page, PROT_NONE);
    char* begin = static_cast<char*>(memory) + pages - rounded;
    std::memset(begin, kDeviceGarbage, rounded);
    pieces_[begin] = {memory, pages + page, bytes};
    used_ += bytes;
    *pointer = begin;
    return cudaSuccess;
  }

  cudaError_t Free(void* pointer) {
    if (pointer == nullptr) return cudaSuccess;
    const std::lock_guard lock(mutex_);
    const auto piece = pieces_.find(static_cast<char*>(pointer));
    if (piece == pieces_.end()) Die("cudaFree of what cudaMalloc did not give");
    munmap(piece->second.mapping, piece->second.mapped);
    used_ -= piece->second.bytes;
    pieces_.erase(piece);
    return cudaSuccess;
  }

  void SetTotal(size_t bytes) {
    const std::lock_guard lock(mutex_);
    total_ = bytes;
  }
  void FailAfter(int successes) {
    const std::lock_guard lock(mutex_);
    left_ = successes;
  }
  size_t used() {
    const std::lock_guard lock(mutex_);
    return used_;
  }
  size_t total() {
    const std::lock_guard lock(mutex_);
    return total_;
  }

 private:
  struct Piece {
    void* mapping = nullptr;
    size_t mapped = 0;
    size_t bytes = 0;
  };
  std::mutex mutex_;
  std::map<char*, Piece> pieces_;
  size_t total_ = size_t{1} << 30;
  size_t used_ = 0;
  int left_ = -1;
};

Memory& DeviceMemory() {
  static Memory* const memory = new Memory;
  return *memory;
}

// ---- Blocks

// Threads that wait for others to come to the same place.
using Meeting = std::vector<unsigned>;

class Block {
 public:
  explicit Block(unsigned threads, const std::function<void()>& body)
      : body_(body),
        stacks_(std::make_unique_for_overwrite<char[]>(threads * kStackBytes)),
        fibers_(threads),
        warps_((threads + 31) / 32) {}

  // Runs every thread to its end.
  void Run(std::mt19937* random) {
    current_block_ = this;
    live_ = static_cast<unsigned>(fibers_.size());
    ready_.clear();
    for (unsigned i = 0; i < fibers_.size(); ++i) {
      getcontext(&fibers_[i]);
      fibers_[i].uc_stack.ss_sp = stacks_.get() + i * kStackBytes;
      fibers_[i].uc_stack.ss_size = kStackBytes;
      fibers_[i].uc_link = &scheduler_;
      makecontext(&fibers_[i], &Block::Enter, 0);
      ready_.push_back(i);
    }
    while (live_ > 0) {
      if (ready_.empty()) Die("threads wait for others of their block or warp, which have ended or wait elsewhere");
      const size_t next = (*random)() % ready_.size();
      running_ = ready_[next];
      ready_[next] = ready_.back();
      ready_.pop_back();
      thread_index = {running_ % block_dim.x, running_ / block_dim.x % block_dim.y,
                      running_ / (block_dim.x * block_dim.y)};
      swapcontext(&scheduler_, &fibers_[running_]);
    }
    current_block_ = nullptr;
  }

  static Block& Current() {
    if (current_block_ == nullptr) Die("a device function was called outside of a kernel");
    return *current_block_;
  }

  void Barrier() {
    barrier_.push_back(running_);
    if (barrier_.size() == fibers_.size()) {
      Wake(&barrier_);
    } else {
      Sleep();
    }
  }

  void Exchange(unsigned mask, const void* mine, size_t bytes, uint64_t all[32]) {
    const unsigned lane = running_ % 32;
    Warp& warp = warps_[running_ / 32];
    if ((mask >> lane & 1) == 0) Die("a thread's own lane is not in the mask of its shuffle");
    if (static_cast<unsigned>(32 - std::countl_zero(mask)) > Lanes()) mask &= Lanes() == 32 ? ~0u : (1u << Lanes()) - 1;
    Meeting& meeting = warp.meetings[mask];
    warp.values[lane] = 0;
    std::memcpy(&warp.values[lane], mine, bytes);
    meeting.push_back(running_);
    const unsigned me = running_;
    if (meeting.size() == static_cast<size_t>(std::popcount(mask))) {
      warp.result[lane] = warp.values;
      for (const unsigned other : meeting) warp.result[other % 32] = warp.values;
      Wake(&meeting);
    } else {
      Sleep();
    }
    std::copy(warp.result[me % 32].begin(), warp.result[me % 32].end(), all);
  }

  unsigned running() const { return running_; }

 private:
  struct Warp {
    std::array<uint64_t, 32> values{};
    std::array<std::array<uint64_t, 32>, 32> result{};
    std::map<unsigned, Meeting> meetings;
  };

  static void Enter() {
    Block& block = *current_block_;
    block.body_();
    --block.live_;
    // uc_link leads back to the scheduler.
  }

  unsigned Lanes() const { return std::min<unsigned>(32, static_cast<unsigned>(fibers_.size()) - running_ / 32 * 32); }

  // The last to come goes on with the others.
  void Wake(std::vector<unsigned>* waiting) {
    for (const unsigned fiber : *waiting) {
      if (fiber != running_) ready_.push_back(fiber);
    }
    waiting->clear();
    ready_.push_back(running_);
    Sleep();
  }

  void Sleep() {
    const unsigned me = running_;
    swapcontext(&fibers_[me], &scheduler_);
  }

  static inline Block* current_block_ = nullptr;

  const std::function<void()>& body_;
  std::unique_ptr<char[]> stacks_;
  std::vector<ucontext_t> fibers_;
  std::vector<Warp> warps_;
  std::vector<unsigned> ready_;
  Meeting barrier_;
  ucontext_t scheduler_;
  unsigned running_ = 0;
  unsigned live_ = 0;
};

// ---- Launches

// A block's dynamic shared memory; the byte behind it cannot be touched either.
class SharedMemory {
 public:
  SharedMemory() {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE)), pages = (kMostSharedOptin / page + 1) * page;
    void* const memory = mmap(nullptr, pages + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(static_cast<char*>(memory) + pages, page, PROT_NONE) != 0) {
      Die("no memory for shared memory");
    }
    end_ = begin_ = static_cast<char*>(memory) + pages;
  }

  void Assign(size_t bytes) {
    bytes = (bytes + 15) / 16 * 16;
    begin_ = end_ - bytes;
    std::memset(begin_, kDeviceGarbage, bytes);
  }
  void* data() const { return begin_; }

 private:
  char* end_;
  char* begin_;
};

struct Launches {
  std::mutex mutex;
  std::mt19937 random;
  std::map<const void*, int> dynamic_shared;
  SharedMemory shared;
  int left = -1;
  int64_t blocks = 0;
};

Launches& AllLaunches() {
  static Launches* const launches = new Launches;
  return *launches;
}

thread_local cudaError_t last_error = cudaSuccess;

cudaError_t Note(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

}  // namespace

namespace sightline::emulator {

void SetMemory(size_t bytes) { DeviceMemory().SetTotal(bytes); }
size_t UsedMemory() { return DeviceMemory().used(); }
void FailMallocAfter(int successes) { DeviceMemory().FailAfter(successes); }

void FailLaunchAfter(int successes) {
  const std::lock_guard lock(AllLaunches().mutex);
  AllLaunches().left = successes;
}

void SetSeed(uint32_t seed) {
  const std::lock_guard lock(AllLaunches().mutex);
  AllLaunches().random.seed(seed);
}

int64_t BlocksRun() {
  const std::lock_guard lock(AllLaunches().mutex);
  return AllLaunches().blocks;
}

cudaError_t AllowDynamicShared(const void* kernel, int bytes) {
  if (bytes < 0 || static_cast<size_t>(bytes) > kMostSharedOptin) return Note(cudaErrorInvalidValue);
  const std::lock_guard lock(AllLaunches().mutex);
  AllLaunches().dynamic_shared[kernel] = bytes;
  return cudaSuccess;
}

void Launch(const void* kernel, dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& body) {
  Launches& launches = AllLaunches();
  const std::lock_guard lock(launches.mutex);
  if (launches.left == 0) {
    Note(cudaErrorLaunchFailure);
    return;
  }
  if (launches.left > 0) --launches.left;
  const auto allowed = launches.dynamic_shared.find(kernel);
  const size_t most_shared =
      allowed == launches.dynamic_shared.end() ? kMostShared : static_cast<size_t>(allowed->second);
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  if (threads == 0 || threads > kMostThreads || block.z > 64 || shared_bytes > std::max(most_shared, kMostShared) ||
      grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535) {
    Note(cudaErrorInvalidConfiguration);
    return;
  }
  grid_dim = grid;
  block_dim = block;
  Block fibers(static_cast<unsigned>(threads), body);
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        block_index = {x, y, z};
        launches.shared.Assign(shared_bytes);
        fibers.Run(&launches.random);
        ++launches.blocks;
      }
    }
  }
}

void* DynamicShared() { return AllLaunches().shared.data(); }
void Barrier() { Block::Current().Barrier(); }
void Exchange(unsigned mask, const void* mine, size_t bytes, uint64_t all[32]) {
  Block::Current().Exchange(mask, mine, bytes, all);
}
unsigned Lane() { return Block::Current().running() % 32; }

}  // namespace sightline::emulator

// ---- CUDA's functions

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration: return "cudaErrorInvalidConfiguration";
    case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorNotReady: return "cudaErrorNotReady";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
  }
  return "unknown";
}
const char* cudaGetErrorString(cudaError_t error) { return cudaGetErrorName(error); }
cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device != 0) return Note(cudaErrorInvalidDevice);
  *properties = {.name = "emulated card",
                 .totalGlobalMem = DeviceMemory().total(),
                 .sharedMemPerBlock = kMostShared,
                 .sharedMemPerBlockOptin = kMostSharedOptin,
                 .multiProcessorCount = 3,
                 .major = 8,
                 .minor = 0,
                 .l2CacheSize = 1 << 20};
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  cudaDeviceProp properties;
  if (const cudaError_t error = cudaGetDeviceProperties(&properties, device); error != cudaSuccess) return error;
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount: *value = properties.multiProcessorCount; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = static_cast<int>(properties.sharedMemPerBlockOptin); break;
    case cudaDevAttrComputeCapabilityMajor: *value = properties.major; break;
    case cudaDevAttrComputeCapabilityMinor: *value = properties.minor; break;
  }
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : Note(cudaErrorInvalidDevice); }
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *total = DeviceMemory().total();
  *free = *total - std::min(*total, DeviceMemory().used());
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** pointer, size_t bytes) { return Note(DeviceMemory().Allocate(pointer, bytes)); }
cudaError_t cudaFree(void* pointer) { return DeviceMemory().Free(pointer); }
cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
  *pointer = std::malloc(std::max<size_t>(bytes, 1));
  return *pointer == nullptr ? Note(cudaErrorMemoryAllocation) : cudaSuccess;
}
cudaError_t cudaFreeHost(void* pointer) {
  std::free(pointer);
  return cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) {
  if (bytes > 0) std::memcpy(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t) {
  return cudaMemcpy(to, from, bytes, kind);
}
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                              size_t height, cudaMemcpyKind, cudaStream_t) {
  if (width > to_pitch || width > from_pitch) return Note(cudaErrorInvalidValue);
  for (size_t row = 0; row < height; ++row) {
    std::memcpy(static_cast<char*>(to) + row * to_pitch, static_cast<const char*>(from) + row * from_pitch, width);
  }
  return cudaSuccess;
}
cudaError_t cudaMemset(void* to, int value, size_t bytes) {
  if (bytes > 0) std::memset(to, value, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t) { return cudaMemset(to, value, bytes); }

struct CUstream_st {};
struct CUevent_st {};
cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  *stream = new CUstream_st;
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) { return cudaStreamCreate(stream); }
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}
// As on a card, where a kernel's failure shows at the next call that waits.
cudaError_t cudaStreamSynchronize(cudaStream_t) {
  return last_error == cudaErrorLaunchFailure ? last_error : cudaSuccess;
}
cudaError_t cudaStreamQuery(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
cudaError_t cudaEventCreate(cudaEvent_t* event) {
  *event = new CUevent_st;
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return cudaEventCreate(event); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
  *milliseconds = 0;
  return cudaSuccess;
}
