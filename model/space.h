// Embedding space and token space: digests of what decides a descriptor, and what decides a token.
//
// The embedding space covers architecture (every default spelt out), preprocessing with its version, buckets and
// scales, and every tensor's name, shape and float32 values. The token space covers backbone, preprocessing and token
// settings (grid, importance, precision) with the projection. Names, provenance, threads, numeric variant and what
// searches re-rank by are in neither.
//
// Threading: pure functions. Failure: none.
//
//   const Spaces spaces = ComputeSpaces(config, tensors, projection);
#ifndef SIGHTLINE_MODEL_SPACE_H_
#define SIGHTLINE_MODEL_SPACE_H_

#include <string>
#include <vector>

#include "model/config/model_config.h"
#include "model/weights/load.h"

namespace sightline::model {

struct Spaces {
  std::string embedding;  // 64 lower-case hex digits
  std::string token;
};

// `tensors` as InferenceTensors gives them for a Network; `projection` is (D, Ct).
Spaces ComputeSpaces(const ModelConfig& config, const std::vector<NamedTensor>& tensors,
                     const torch::Tensor& projection);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_SPACE_H_
