// The instruction sets that the model room's libraries use.
//
// Threading: UseWholeCpu once, before other threads start; CpuCapability from any thread. Failure: none.
#ifndef SIGHTLINE_MODEL_CPU_H_
#define SIGHTLINE_MODEL_CPU_H_

#include <string>

namespace sightline::model {

// LibTorch as Debian builds it stays at AVX2 on machines with AVX-512 unless ATEN_CPU_CAPABILITY says otherwise. Sets that
// variable where the machine has what LibTorch's kernels need and nobody has set it. To be called before LibTorch's first
// operation, at the start of main: environment variables must not change beside other threads.
void UseWholeCpu();

// "LibTorch AVX512, oneDNN AVX512_CORE_VNNI"
std::string CpuCapability();

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CPU_H_
