// AlignedVector: a std::vector whose memory begins on a cache line, so that no SIMD load of it crosses one.
//
//   AlignedVector<float> query(values.begin(), values.end());
#ifndef SIGHTLINE_INDEX_KERNELS_ALIGNED_H_
#define SIGHTLINE_INDEX_KERNELS_ALIGNED_H_

#include <cstddef>
#include <new>
#include <vector>

namespace sightline::index::kernels {

template <typename T>
struct AlignedAllocator {
  using value_type = T;
  static constexpr std::align_val_t kAlignment{64};

  AlignedAllocator() = default;
  template <typename U>
  AlignedAllocator(const AlignedAllocator<U>&) {}

  T* allocate(size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), kAlignment)); }
  void deallocate(T* memory, size_t) { ::operator delete(memory, kAlignment); }
  bool operator==(const AlignedAllocator&) const { return true; }
};

template <typename T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

}  // namespace sightline::index::kernels

#endif  // SIGHTLINE_INDEX_KERNELS_ALIGNED_H_
