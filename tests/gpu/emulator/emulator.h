// Runs CUDA kernels, and the host code that starts them, on the CPU: their own sources, compiled as C++ against
// cuda_runtime.h and cuda_fp16.h of this folder. It is for tests of small sizes on machines without a card; it says
// nothing about speed.
//
// Threads of a block are fibers that run one after the other, in a random order between barriers (SIGHTLINE_SEED, see
// SetSeed), so that what two of them do to the same word without a barrier comes out differently from run to run. What
// a card would leave undefined ends the process with a sentence: a barrier or a shuffle that some threads of the block
// or warp never reach, a launch beyond a card's limits. Each piece of device memory, and a
// block's dynamic shared memory, ends at a page that cannot be touched and starts out as garbage.
//
// Not modelled: asynchrony (everything is done when a call returns), more than one card, tensor cores, textures.
//
// Threading: thread-safe; one kernel runs at a time. Failure: as CUDA's, cudaError_t; injected ones below.
#ifndef SIGHTLINE_TESTS_GPU_EMULATOR_EMULATOR_H_
#define SIGHTLINE_TESTS_GPU_EMULATOR_EMULATOR_H_

#include <cstddef>
#include <cstdint>

namespace sightline::emulator {

// Of the card, from now on: what cudaMemGetInfo says, and where cudaMalloc ends with cudaErrorMemoryAllocation.
void SetMemory(size_t bytes);
size_t UsedMemory();

// The cudaMalloc after `successes` more of them fails, and those behind it until this is called again; a negative
// number: none does.
void FailMallocAfter(int successes);
// The same for launches, which then leave cudaErrorLaunchFailure behind, as a kernel does that went wrong.
void FailLaunchAfter(int successes);

// Of the order in which the threads of a block run.
void SetSeed(uint32_t seed);

// Blocks that ran so far.
int64_t BlocksRun();

}  // namespace sightline::emulator

#endif  // SIGHTLINE_TESTS_GPU_EMULATOR_EMULATOR_H_
