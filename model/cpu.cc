#include "model/cpu.h"

#include <ATen/Version.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "model/engine/cpu.h"

namespace sightline::model {
namespace {

// From LibTorch's description of itself: "  - CPU capability usage: AVX2".
std::string AtenLevel() {
  constexpr absl::string_view kLabel = "CPU capability usage: ";
  const std::string text = at::show_config();
  const size_t begin = text.find(kLabel.data());
  if (begin == std::string::npos) return "unknown";
  const size_t value = begin + kLabel.size();
  return text.substr(value, text.find('\n', value) - value);
}

}  // namespace

void UseWholeCpu() {
#if defined(__x86_64__)
  // What LibTorch's AVX-512 kernels are compiled for.
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma")) {
    ::setenv("ATEN_CPU_CAPABILITY", "avx512", /*overwrite=*/0);
  }
#endif
}

std::string CpuCapability() { return absl::StrCat("LibTorch ", AtenLevel(), ", oneDNN ", engine::OneDnnLevel()); }

}  // namespace sightline::model
