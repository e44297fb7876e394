// The emulator computes what a card would, and notices what a card would leave undefined.
#include "tests/gpu/emulator/emulator.h"

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "tests/gpu/emulator/emulator_kernels.h"

namespace sightline {
namespace {

template <typename T>
struct Device {
  explicit Device(size_t count) { EXPECT_EQ(cudaMalloc(&at, count * sizeof(T)), cudaSuccess); }
  explicit Device(const std::vector<T>& values) : Device(values.size()) {
    EXPECT_EQ(cudaMemcpy(at, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice), cudaSuccess);
  }
  ~Device() { cudaFree(at); }
  std::vector<T> Read(size_t count) const {
    std::vector<T> values(count);
    EXPECT_EQ(cudaMemcpy(values.data(), at, count * sizeof(T), cudaMemcpyDeviceToHost), cudaSuccess);
    return values;
  }
  T* at = nullptr;
};

TEST(EmulatorTest, BlocksWarpsAndSharedMemoryWorkTogether) {
  std::vector<float> values(1000);
  std::iota(values.begin(), values.end(), 1.0f);
  const Device<float> in(values), out(size_t{3});
  ASSERT_EQ(testing::Sum(in.at, 1000, 3, out.at, nullptr), cudaSuccess);
  const std::vector<float> sums = out.Read(3);
  EXPECT_EQ(sums[0] + sums[1] + sums[2], 500'500.0f);
}

TEST(EmulatorTest, LanesExchangeAsOnACard) {
  const Device<unsigned> out(size_t{96});
  ASSERT_EQ(testing::LanesOf(out.at, nullptr), cudaSuccess);
  const std::vector<unsigned> lanes = out.Read(96);
  for (unsigned lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(lanes[lane], lane + 3 < 32 ? lane + 3 : lane);
    EXPECT_EQ(lanes[32 + lane], 0x49249249u);
    EXPECT_EQ(lanes[64 + lane], lane / 8 * 8 + 2);
  }
}

TEST(EmulatorTest, AForgottenBarrierShows) {
  std::vector<int> values(256), reversed(256);
  std::iota(values.begin(), values.end(), 0);
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  for (const bool racy : {false, true}) {
    const Device<int> device(values);
    ASSERT_EQ(testing::Reverse(device.at, 256, racy, nullptr), cudaSuccess);
    EXPECT_EQ(device.Read(256) == reversed, !racy);
  }
}

TEST(EmulatorDeathTest, UndefinedBehaviourEndsTheProcess) {
  const Device<int> device(size_t{4});
  EXPECT_DEATH((void)testing::HalfABarrier(nullptr), "wait for others of their block or warp, which have ended");
  EXPECT_DEATH((void)testing::Write(device.at, 4, nullptr), "");
  int on_the_host = 0;
  EXPECT_DEATH((void)cudaFree(&on_the_host), "cudaFree of what cudaMalloc did not give");
}

TEST(EmulatorTest, MemoryEndsAndFailuresAreInjected) {
  const size_t used = emulator::UsedMemory();
  emulator::SetMemory(used + 1000);
  void* first = nullptr;
  void* second = nullptr;
  EXPECT_EQ(cudaMalloc(&first, 600), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&second, 600), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  size_t free = 0, total = 0;
  EXPECT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  EXPECT_EQ(free, 400u);
  cudaFree(first);
  emulator::FailMallocAfter(1);
  EXPECT_EQ(cudaMalloc(&first, 8), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&second, 8), cudaErrorMemoryAllocation);
  emulator::FailMallocAfter(-1);
  cudaFree(first);
  EXPECT_EQ(emulator::UsedMemory(), used);
  emulator::SetMemory(size_t{1} << 30);

  const Device<int> device(size_t{1});
  emulator::FailLaunchAfter(0);
  EXPECT_EQ(testing::Write(device.at, 0, nullptr), cudaErrorLaunchFailure);
  emulator::FailLaunchAfter(-1);
  EXPECT_EQ(testing::Reverse(device.at, 2000, false, nullptr), cudaErrorInvalidConfiguration) << "2,000 threads";
}

}  // namespace
}  // namespace sightline
