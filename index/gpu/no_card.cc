// Of builds without CUDA.
#include "base/status.h"
#include "index/gpu/row_device.h"

namespace sightline::index::gpu {

absl::StatusOr<std::shared_ptr<RowDevice>> OpenRows(const RowDeviceOptions& /*options*/) {
  return base::Error(absl::StatusCode::kUnimplemented, "NO_CUDA_BUILD",
                     "this build has no CUDA. Use a build that has, or leave the index on the CPU.");
}

}  // namespace sightline::index::gpu
