// From a safetensors file to the parameters of a network, strictly.
//
// Threading: pure functions. Ownership: values are copied. Failure: INVALID_ARGUMENT with reason WEIGHTS_MISMATCH that
// names every missing, unexpected, wrongly shaped and non-finite tensor at once.
//
//   std::vector<NamedTensor> targets = InferenceTensors(*network);
//   SIGHTLINE_RETURN_IF_ERROR(LoadTensors(file, targets));
#ifndef SIGHTLINE_MODEL_WEIGHTS_LOAD_H_
#define SIGHTLINE_MODEL_WEIGHTS_LOAD_H_

#include <torch/torch.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/weights/safetensors.h"

namespace sightline::model {

struct NamedTensor {
  std::string name;
  torch::Tensor tensor;  // float32, contiguous, shares its memory with the module
};

// Parameters and running statistics of `module`, sorted by name: all that decides its output. Counters of batches seen
// are left out.
std::vector<NamedTensor> InferenceTensors(const torch::nn::Module& module);

// Fills every target from the tensor of its name, converted to float32. Only what training leaves behind may be in the
// file beyond that: batch counters and "head.weight", the classes of the loss.
absl::Status LoadTensors(const weights::Safetensors& file, const std::vector<NamedTensor>& targets);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_WEIGHTS_LOAD_H_
