#include "server/blas_check.h"

#include <dlfcn.h>

#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sightline::server {
namespace {

constexpr char kAdvice[] = "Run deploy/install-deps.sh, which installs and selects the OpenMP build of OpenBLAS.";

}  // namespace

BlasCheck CheckBlas() {
  void* const sgemm = dlsym(RTLD_DEFAULT, "sgemm_");
  if (sgemm == nullptr) return {"none", ""};
  // A process can hold several BLAS libraries; the one that answers is the one that counts. Its file says whose it is:
  // the alternatives of Debian are links into folders of their own.
  Dl_info where{};
  dladdr(sgemm, &where);
  std::error_code error;
  const std::string file = absl::AsciiStrToLower(
      std::filesystem::canonical(where.dli_fname != nullptr ? where.dli_fname : "", error).string());
  if (absl::StrContains(file, "mkl")) return {"MKL", ""};
  // The LibTorch that is not the distribution's brings a BLAS inside itself.
  if (absl::StrContains(file, "libtorch")) return {"LibTorch's own", ""};
  using GetParallel = int (*)();
  using GetConfig = char* (*)();
  const auto parallel = reinterpret_cast<GetParallel>(dlsym(RTLD_DEFAULT, "openblas_get_parallel"));
  const auto config = reinterpret_cast<GetConfig>(dlsym(RTLD_DEFAULT, "openblas_get_config"));
  if (!absl::StrContains(file, "openblas") || parallel == nullptr) {
    return {absl::StrCat("not OpenBLAS: ", file),
            absl::StrCat("BLAS is ", file, ", not OpenBLAS; the reference BLAS is about 100 times slower. ", kAdvice)};
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
