// CardFilling: somebody else who has taken a card's memory, until it goes. With plain allocations, so that what is
// taken is there.
#ifndef SIGHTLINE_TESTS_GPU_CARD_FILLING_H_
#define SIGHTLINE_TESTS_GPU_CARD_FILLING_H_

#include <cuda_runtime.h>

#include <cstddef>
#include <vector>

namespace sightline::testing {

inline constexpr size_t kMiB = size_t{1} << 20;

class CardFilling {
 public:
  // All of the current card but `leave` bytes, to a MiB.
  explicit CardFilling(size_t leave) {
    for (size_t piece = size_t{1} << 40; piece >= kMiB; piece /= 2) {
      void* memory = nullptr;
      while (Free() >= leave + piece && cudaMalloc(&memory, piece) == cudaSuccess) pieces_.push_back(memory);
      (void)cudaGetLastError();
    }
  }
  ~CardFilling() {
    for (void* const piece : pieces_) cudaFree(piece);
  }
  CardFilling(const CardFilling&) = delete;
  CardFilling& operator=(const CardFilling&) = delete;

  static size_t Free() {
    size_t free = 0, total = 0;
    return cudaMemGetInfo(&free, &total) == cudaSuccess ? free : 0;
  }
  static size_t Total() {
    size_t free = 0, total = 0;
    return cudaMemGetInfo(&free, &total) == cudaSuccess ? total : 0;
  }

 private:
  std::vector<void*> pieces_;
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_GPU_CARD_FILLING_H_
