// OpenLists where FAISS has no GPU.
#include "base/status.h"
#include "index/gpu/list_device.h"

namespace sightline::index::gpu {

absl::StatusOr<std::shared_ptr<ListDevice>> OpenLists(std::shared_ptr<Card> /*card*/,
                                                      const ListDeviceOptions& /*options*/) {
  return base::Error(absl::StatusCode::kUnimplemented, "NO_FAISS_GPU_BUILD",
                     "the FAISS of this build has no GPU. Build with -DSIGHTLINE_FAISS_GPU=ON (docs/gpu.md), or leave "
                     "inverted lists on the CPU.");
}

}  // namespace sightline::index::gpu
