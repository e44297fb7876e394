#include "server/blas_check.h"

#include <dlfcn.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sightline::server {
namespace {

constexpr char kAdvice[] = "Run deploy/install-deps.sh, which installs and selects the OpenMP build of OpenBLAS.";

}  // namespace

BlasCheck CheckBlas() {
  // OpenBLAS says itself what it is; the reference BLAS has neither function.
  using GetParallel = int (*)();
  using GetConfig = char* (*)();
  const auto parallel = reinterpret_cast<GetParallel>(dlsym(RTLD_DEFAULT, "openblas_get_parallel"));
  const auto config = reinterpret_cast<GetConfig>(dlsym(RTLD_DEFAULT, "openblas_get_config"));
  if (parallel == nullptr) {
    if (dlsym(RTLD_DEFAULT, "sgemm_") == nullptr) return {"none", ""};
    if (dlsym(RTLD_DEFAULT, "mkl_get_version") != nullptr) return {"MKL", ""};
    return {"reference BLAS",
            absl::StrCat("BLAS is not OpenBLAS, most likely the reference one, which is about 100 times slower. ",
                         kAdvice)};
  }
  std::string version = "OpenBLAS";
  if (config != nullptr) {
    const std::vector<std::string> words = absl::StrSplit(config(), ' ');
    if (words.size() > 1) version = absl::StrCat(words[0], " ", words[1]);
  }
  constexpr int kSequential = 0, kPthreads = 1;
  switch (parallel()) {
    case kSequential:
      return {absl::StrCat(version, " (sequential)"),
              absl::StrCat("BLAS is the sequential build of OpenBLAS, which uses one core. ", kAdvice)};
    case kPthreads:
      return {absl::StrCat(version, " (pthreads)"),
              absl::StrCat("BLAS is the pthread build of OpenBLAS, whose threads compete with LibTorch's. ", kAdvice)};
    default: return {absl::StrCat(version, " (OpenMP)"), ""};
  }
}

}  // namespace sightline::server
