// OpenCard with CUDA.
#include <cuda_runtime.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status.h"
#include "index/gpu/card.h"
#include "index/gpu/cuda_status.h"

namespace sightline::index::gpu {
namespace {

constexpr int kOldestMajor = 8;

absl::Status NoCard(absl::string_view reason, absl::string_view what, const base::ErrorFacts& facts = {}) {
  return base::FailedPrecondition(
      reason, absl::StrCat(what, " Leave the index on the CPU, or see docs/troubleshooting.md."), facts);
}

absl::Status CheckFits(absl::string_view what, int64_t bytes, size_t memory, const cudaDeviceProp& properties) {
  if (bytes <= static_cast<int64_t>(memory)) return absl::OkStatus();
  return base::FailedPrecondition("CARD_TOO_SMALL",
                                  absl::StrCat(bytes, " bytes of a card are set aside for ", what, "; the ",
                                               properties.name, " has ", memory, " in all. Set fewer aside."),
                                  {{"actual", absl::StrCat(bytes)}, {"limit", absl::StrCat(memory)}});
}

}  // namespace

absl::StatusOr<std::shared_ptr<Card>> OpenCard(const CardOptions& options) {
  int count = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) {
    (void)cudaGetLastError();
    return NoCard("NO_CUDA_DRIVER", absl::StrCat("CUDA finds no card: ", cudaGetErrorString(error), "."));
  }
  if (options.device < 0 || options.device >= count) {
    return NoCard("NO_SUCH_CARD",
                  absl::StrCat("there is no cuda:", options.device, "; this machine has ", count, " of them."),
                  {{"actual", absl::StrCat(options.device)}, {"limit", absl::StrCat(count)}});
  }
  SIGHTLINE_RETURN_IF_ERROR(MakeCurrent(options.device));
  cudaDeviceProp properties;
  SIGHTLINE_RETURN_IF_ERROR(
      CudaStatus(cudaGetDeviceProperties(&properties, options.device), "the properties of the card"));
  if (properties.major < kOldestMajor) {
    return NoCard("CARD_TOO_OLD",
                  absl::StrCat("cuda:", options.device, " (", properties.name, ") has compute capability ",
                               properties.major, ".", properties.minor, "; 8.0 is the oldest that will do."));
  }
  const size_t memory = properties.totalGlobalMem;
  SIGHTLINE_RETURN_IF_ERROR(CheckFits("the index", options.row_bytes, memory, properties));
  SIGHTLINE_RETURN_IF_ERROR(CheckFits("re-ranking", options.token_bytes, memory, properties));
  const int64_t half = static_cast<int64_t>(memory / 2);
  return std::make_shared<Card>(
      options.device, properties.name,
      CardBudget{.rows = options.row_bytes == 0 ? half : options.row_bytes, .tokens = options.token_bytes});
}

}  // namespace sightline::index::gpu
