// OpenCard in a build whose LibTorch has no CUDA.
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/device/accelerator.h"

namespace sightline::model {

absl::StatusOr<std::unique_ptr<Accelerator>> OpenCard(int index) {
  return base::FailedPrecondition("NO_CUDA_BUILD",
                                  absl::StrCat("cuda:", index,
                                               " was asked for, and this program was built without CUDA. Use "
                                               "--device cpu, or a build for cards (docs/gpu.md)."));
}

}  // namespace sightline::model
