// CUDA's errors as this project words them.
//
// An allocation that failed is RESOURCE_EXHAUSTED (CARD_FULL, see device_memory.h), and what is left of the card's work
// goes on. Every other error is INTERNAL: CUDA_REFUSED where only the call was refused, CARD_LOST where CUDA's context
// is broken, after which each further call of the process on that card fails as well, so nothing more should be tried.
//
// Threading: thread-safe; they concern the calling thread's current card. Failure: as above. What a failed call leaves
// behind for cudaGetLastError is taken away, so that the next launch is not blamed for it.
//
//   SIGHTLINE_RETURN_IF_ERROR(MakeCurrent(card));
//   SIGHTLINE_RETURN_IF_ERROR(CudaStatus(LaunchScores(rows, scores, stream), "the scores of a search"));
//   card->Failed(status);  // card.h; IsCardLost is there too
#ifndef SIGHTLINE_INDEX_GPU_CUDA_STATUS_H_
#define SIGHTLINE_INDEX_GPU_CUDA_STATUS_H_

#include <cuda_runtime.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status.h"
#include "index/gpu/card.h"

namespace sightline::index::gpu {

// `what` is what was being done: "the upload of rows".
inline absl::Status CudaStatus(cudaError_t error, absl::string_view what) {
  if (error == cudaSuccess) return absl::OkStatus();
  (void)cudaGetLastError();
  const base::ErrorFacts facts = {{"error", cudaGetErrorName(error)}, {"code", absl::StrCat(static_cast<int>(error))}};
  const std::string text =
      absl::StrCat("CUDA failed in ", what, ": ", cudaGetErrorName(error), " (", cudaGetErrorString(error), "). ");
  switch (error) {
    case cudaErrorMemoryAllocation:
      return base::Error(absl::StatusCode::kResourceExhausted, "CARD_FULL",
                         text + "Give the card less to hold, or a larger card.", facts);
    case cudaErrorInvalidValue:
    case cudaErrorInvalidConfiguration:
    case cudaErrorInvalidDevice:
    case cudaErrorNoDevice:
      return base::Error(absl::StatusCode::kInternal, "CUDA_REFUSED", text + "The card itself goes on.", facts);
    default:
      return base::Error(absl::StatusCode::kInternal, "CARD_LOST",
                         text + "The card is not used again by this process; restart it, and see the driver's log.",
                         facts);
  }
}

// The calling thread's calls are about card `device` from now on. Cheap; each entry point of a thread that is not the
// card's own begins with it.
inline absl::Status MakeCurrent(int device) {
  return CudaStatus(cudaSetDevice(device), absl::StrCat("the choice of cuda:", device));
}

}  // namespace sightline::index::gpu

#endif  // SIGHTLINE_INDEX_GPU_CUDA_STATUS_H_
